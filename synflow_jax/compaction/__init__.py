"""A mask as a smaller dense network: exact removal of the units that it leaves without a path."""

from synflow_jax.compaction.network import Compact as Compact
from synflow_jax.compaction.network import compact as compact
from synflow_jax.compaction.nnx_model import compact_nnx as compact_nnx
