"""SNIP: how much the loss feels a weight's connection."""

from typing import Any

import jax
import jax.numpy as jnp

from synflow_jax.losses import check_loss_fn, checked_loss, nan_unless_finite
from synflow_jax.masks import apply_mask
from synflow_jax.types import LossFn, Mask, Params, ReturningScores, ScoreFn, Scores


def snip(loss_fn: LossFn) -> ScoreFn:
    """Score ``|w * dL/dw|`` of each weight w, with L the loss over the batch.

    To first order this is how much the loss changes if the weight is removed (Lee et al. 2019,
    arXiv:1810.02340, equation 5). The paper divides by the sum of all scores; that changes no order
    and is left out.

    Args:
        loss_fn: ``loss_fn(params, batch) -> scalar``, the mean over the batch, such as
            `cross_entropy(apply_fn)`.

    Returns:
        A score function that needs a batch and no key. The scores have the params' shapes and
        dtypes; they are 0 where pruned, and all NaN if the loss isn't finite. `prune` with
        ``regrow=True`` takes ``|w * dL/d(m w)|`` at the mask m of pruned weights too.

    Raises:
        ValueError: when the score function is called, the batch is None, ``loss_fn`` fails or
            returns more than one number, or mask and params don't match.
        TypeError: ``loss_fn`` isn't a function of params and batch; when the score function is
            called, the loss isn't floating-point or comes with something else, or a leaf of the
            mask isn't boolean.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> score_fn = sf.snip(lambda params, batch: jnp.sum(batch * params["kernel"]))
    >>> params, mask = {"kernel": jnp.array([[1.0, -2.0]])}, {"kernel": jnp.array(True)}
    >>> score_fn(params, mask, jnp.array([[3.0, 4.0]]), None)["kernel"]
    Array([[3., 8.]], dtype=float32)
    """
    check_loss_fn(loss_fn)

    def of_all(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        del key
        masked = apply_mask(mask, params)
        loss, gradient = jax.value_and_grad(checked_loss("snip", loss_fn))(masked, batch)
        scores = jax.tree.map(lambda w, g: jnp.abs(w * g), params, gradient)
        return nan_unless_finite(loss, scores)

    def of_kept(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        return of_all(apply_mask(mask, params), mask, batch, key)

    return ReturningScores(of_kept, of_all)
