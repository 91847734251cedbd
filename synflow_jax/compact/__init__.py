"""A mask as a smaller dense network: exact removal of the units that it leaves without a path."""

from synflow_jax.compact.network import Compact as Compact
from synflow_jax.compact.network import compact as compact
