"""The average score in each layer against the inverse of the layer's size.

Figure 4 of Tanaka et al. 2020. SynFlow's scores add up to the same flow in every layer, so their
average is proportional to the inverse size: on logarithmic axes a line of slope 1. A layer is a
kernel here; the published sizes count its biases too, which start at zero and score zero there.
"""
