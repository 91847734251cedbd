"""Accuracy against multiplications: units pruned on purpose, and what pruned weights leave."""
