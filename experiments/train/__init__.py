"""Prune a network at initialization and train what is left."""
