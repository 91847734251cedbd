"""Accuracy against time: masked networks, and the same networks made small before training."""
