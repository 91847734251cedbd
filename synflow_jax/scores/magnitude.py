"""Magnitude: the size of a weight is its score."""

from typing import Any

import jax
import jax.numpy as jnp

from synflow_jax.masks import apply_mask
from synflow_jax.types import Mask, Params, ScoreFn, Scores


def magnitude() -> ScoreFn:
    """Score ``|w|`` of each weight w.

    The oldest score: Janowsky 1989, "Pruning versus clipping in neural networks"; Han et al. 2015,
    arXiv:1506.02626, section 3.

    Returns:
        A score function that needs neither batch nor key. The scores have the params' shapes and
        dtypes and are 0 where pruned.

    Raises:
        ValueError: when the score function is called, mask and params don't match.
        TypeError: when it's called, a leaf of the mask isn't boolean.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[1.0, -2.0]])}
    >>> sf.magnitude()(params, {"kernel": jnp.array(True)}, None, None)["kernel"]
    Array([[1., 2.]], dtype=float32)
    """

    def score_fn(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        del batch, key
        return jax.tree.map(jnp.abs, apply_mask(mask, params))

    return score_fn
