"""Conservation of squared magnitudes emerges in training.

Figure 5b of Tanaka et al. 2020. Under gradient flow a
network of positively homogeneous activations keeps ``|W_l|^2 - |W_(l+1)|^2`` as it is (Du et al.
2018, arXiv:1806.00900), and weight decay shrinks that difference: the sums of squares of
all layers come to be alike, so a layer's average is the sum times its inverse size and the slope of
their logarithms goes to 1.
"""
