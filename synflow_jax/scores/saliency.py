"""Saliency: what a weight does to the loss, by the gradients that training computes anyway."""

from typing import Any

import jax
import jax.numpy as jnp

from synflow_jax.checks import check_structure
from synflow_jax.masks import apply_mask
from synflow_jax.types import GradientScores, Mask, Params, Scores


def saliency() -> GradientScores:
    """Score ``|w * g|`` of each weight w and its gradient g.

    To first order it's how much the loss changes if the weight is removed (Molchanov et al. 2017,
    arXiv:1611.06440, there of activations). `prune_gradually` passes the gradients that its
    ``update`` is given. `snip` is the same from a loss and a batch.

    Returns:
        A score function whose batch is the gradients, a pytree like params, and which needs no key.
        The scores have the params' shapes and are 0 where pruned.

    Raises:
        ValueError: when the score function is called, the gradients are None or not like params, or
            mask and params don't match.
        TypeError: when it's called, a leaf of the mask isn't boolean.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params, gradients = {"kernel": jnp.array([[1.0, -2.0]])}, {"kernel": jnp.ones((1, 2))}
    >>> sf.saliency()(params, {"kernel": jnp.array(True)}, gradients, None)["kernel"]
    Array([[1., 2.]], dtype=float32)
    """

    def score_fn(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        del key
        if batch is None:
            raise ValueError(
                "saliency needs the gradients as its batch, got batch=None; pass "
                "batch=jax.grad(loss_fn)(params, data), or use sf.prune_gradually, which has them"
            )
        check_structure("gradients", batch, params, "params")
        return jax.tree.map(lambda w, g: jnp.abs(w * g), apply_mask(mask, params), batch)

    return GradientScores(score_fn)
