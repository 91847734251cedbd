"""Scores of untrained architectures beside the accuracies that were published for them."""
