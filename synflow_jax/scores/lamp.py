"""LAMP: a weight's square among those of its layer that are at least as large."""

from typing import Any

import jax
import jax.numpy as jnp

from synflow_jax.masks import apply_mask
from synflow_jax.types import Mask, Params, ScoreFn, Scores


def lamp() -> ScoreFn:
    """Score ``w^2 / (sum of v^2 over the weights v of the layer that are at least as large)``.

    By it layers can be compared: the largest weight of each has score 1, so that no layer loses its
    last before all others have a single one (Lee et al. 2021, arXiv:2010.07611, equation 1). Of
    equally large weights the first counts as the larger.

    Returns:
        A score function that needs neither batch nor key. The scores have the params' shapes and
        dtypes and are 0 where pruned.

    Raises:
        ValueError: when the score function is called, mask and params don't match.
        TypeError: when it's called, a leaf of the mask isn't boolean.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[1.0, -2.0]])}
    >>> sf.lamp()(params, {"kernel": jnp.array(True)}, None, None)["kernel"]
    Array([[0.2, 1. ]], dtype=float32)
    """

    def score_fn(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        del batch, key
        return jax.tree.map(_of_layer, apply_mask(mask, params))

    return score_fn


def _of_layer(weights: jax.Array) -> jax.Array:
    # Relative to the largest, so that no square leaves the range.
    sizes = jnp.abs(weights.reshape(-1))
    squares = jnp.square(sizes / jnp.maximum(sizes.max(initial=0), jnp.finfo(sizes.dtype).tiny))
    order = jnp.argsort(-squares, stable=True)
    ranked = squares[order]
    shares = jnp.where(ranked > 0, ranked / jnp.cumsum(ranked), 0)
    return jnp.zeros_like(squares).at[order].set(shares, unique_indices=True).reshape(weights.shape)
