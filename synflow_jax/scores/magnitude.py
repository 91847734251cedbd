"""Magnitude: the size of a weight is its score."""

from typing import Any

import jax
import jax.numpy as jnp

from synflow_jax.masks import apply_mask
from synflow_jax.types import Mask, Params, ScoreFn, Scores


def magnitude() -> ScoreFn:
    """Score ``|w|`` (Janowsky 1989; Han et al. 2015, section 3).

    Returns:
        A score function that needs neither batch nor key.

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
