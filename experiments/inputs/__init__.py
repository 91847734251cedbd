"""SynFlow's input: ones, as in Tanaka et al. 2020, or the mean training image.

Ones treat all pixels alike, which should cost most where
few of them say anything. So digits of 8x8 pixels are put into the middle of a larger image, whose
other pixels are black or noise, and a network of dense layers is pruned with either input and
trained.
"""
