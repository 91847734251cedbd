"""Sparse training: masks that change while a network trains, against masks that don't.

Gradual pruning by several scores, rewiring from random masks and from SynFlow's, and the
straight-through estimator: test accuracy, and which weights came and went.
"""
