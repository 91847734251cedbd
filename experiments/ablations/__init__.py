"""Shuffled masks, new weights and inverted scores for every method at initialization.

After Frankle et al. 2020, "Pruning neural networks at initialization: why are we missing the
mark?".
"""
