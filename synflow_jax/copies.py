"""Copies of arrays, which stay when their originals are donated or written over."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def own_copy(tree: Any) -> Any:
    """Copies of all leaves, where they lie; outside of jit nothing is compiled for them."""
    return jax.tree.map(_copied, tree)


def _copied(leaf: Any) -> jax.Array:
    if isinstance(leaf, Tracer):
        return jnp.array(leaf, copy=True)
    # What is put on a CPU may be NumPy's own memory, whatever `may_alias` says.
    original = np.array(leaf) if isinstance(leaf, np.ndarray) else leaf
    return jax.device_put(original, may_alias=False)
