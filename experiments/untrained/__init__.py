"""Untrained networks to prune and look at: which one, its scores, and pruning by rounds."""
