"""Accuracy against compression of a small vision transformer and a small MLP-Mixer."""
