"""Accuracy against compression for five ways to prune at initialization.

Figures 1 and 6 of Tanaka et al. 2020, by default in small.
"""
