"""SNIP: how much the loss feels a weight's connection."""

from typing import Any

import jax
import jax.numpy as jnp

from synflow_jax.losses import check_loss_fn, checked_loss, nan_unless_finite
from synflow_jax.masks import apply_mask
from synflow_jax.types import LossFn, Mask, Params, ScoreFn, Scores


def snip(loss_fn: LossFn) -> ScoreFn:
    """Score ``|w * dL/dw|`` with L the loss over the batch (Lee et al. 2019, equation 5).

    The paper's division by the scores' sum is left out: it changes no order.

    Args:
        loss_fn: ``loss_fn(params, batch) -> scalar``, such as `cross_entropy(apply_fn)`.

    Returns:
        A score function that needs a batch and no key.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> score_fn = sf.snip(lambda params, batch: jnp.sum(batch * params["kernel"]))
    >>> params, mask = {"kernel": jnp.array([[1.0, -2.0]])}, {"kernel": jnp.array(True)}
    >>> score_fn(params, mask, jnp.array([[3.0, 4.0]]), None)["kernel"]
    Array([[3., 8.]], dtype=float32)
    """
    check_loss_fn(loss_fn)

    def score_fn(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        del key
        masked = apply_mask(mask, params)
        loss, gradient = jax.value_and_grad(checked_loss("snip", loss_fn))(masked, batch)
        scores = jax.tree.map(lambda w, g: jnp.abs(w * g), masked, gradient)
        return nan_unless_finite(loss, scores)

    return score_fn
