"""Exactly the k highest scores over many arrays."""

from synflow_jax.selection.groups import global_top_k as global_top_k
from synflow_jax.selection.groups import kept_counts as kept_counts
from synflow_jax.selection.groups import local_top_k as local_top_k
from synflow_jax.selection.reductions import count as count
from synflow_jax.selection.reductions import largest as largest
from synflow_jax.selection.top_k import kth_highest as kth_highest
from synflow_jax.selection.top_k import top_k as top_k
from synflow_jax.selection.two_words import TwoWordCount as TwoWordCount
from synflow_jax.selection.two_words import two_words as two_words
