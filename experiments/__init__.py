"""Studies of pruning before training, a folder each, and what they share; see README.md."""
