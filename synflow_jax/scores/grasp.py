"""GraSP: how much a weight carries of the gradient's norm."""

from typing import Any

import jax
import jax.numpy as jnp

from synflow_jax.losses import check_loss_fn, checked_loss, nan_unless_finite
from synflow_jax.masks import apply_mask, prunable_leaves
from synflow_jax.types import LossFn, Mask, Params, ScoreFn, Scores


def grasp(loss_fn: LossFn) -> ScoreFn:
    """Score ``w * (H g)`` of each weight w: how much it carries of the gradient's squared norm.

    g is the gradient and H the Hessian of the loss. To first order, removing a weight lowers the
    squared norm of the gradient by twice its score, so the highest scores are kept (Wang et al.
    2020, arXiv:2002.07376, equation 8, with the sign of its algorithm 2). Both derivatives are with
    respect to the prunable weights alone; pruned ones are held at zero. ``H g`` is a forward
    derivative of the gradient; no Hessian is formed.

    Args:
        loss_fn: ``loss_fn(params, batch) -> scalar``, the mean over the batch. The paper divides
            the logits by 200, as `cross_entropy(apply_fn, temperature=200.0)` does.

    Returns:
        A score function that needs a batch and no key. The scores have the params' shapes and
        dtypes and either sign; they are 0 where pruned and for what isn't prunable, and all NaN if
        the loss isn't finite.

    Raises:
        ValueError: when the score function is called, the batch is None, ``loss_fn`` fails or
            returns more than one number, or mask and params don't match.
        TypeError: ``loss_fn`` isn't a function of params and batch; when the score function is
            called, the loss isn't floating-point or comes with something else, or a leaf of the
            mask isn't boolean.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> score_fn = sf.grasp(lambda params, batch: jnp.sum(batch * params["kernel"] ** 2))
    >>> params = {"kernel": jnp.array([[1.0, -2.0]])}
    >>> mask = {"kernel": jnp.array([[True, True]])}
    >>> score_fn(params, mask, jnp.array([[1.0, 3.0]]), None)["kernel"]  # g = 2bw, H = 2b
    Array([[  4., 144.]], dtype=float32)
    """
    check_loss_fn(loss_fn)

    def score_fn(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        del key
        checked = checked_loss("grasp", loss_fn)
        leaves, structure = jax.tree.flatten(apply_mask(mask, params))
        prunable = prunable_leaves(mask)

        def merge(weights: list[jax.Array], others: list[jax.Array]) -> Params:
            given = iter(weights)
            return structure.unflatten(
                [next(given) if p else other for p, other in zip(prunable, others, strict=True)]
            )

        def loss_of(weights: list[jax.Array]) -> jax.Array:
            return checked(apply_mask(mask, merge(weights, leaves)), batch)

        weights = [leaf for leaf, p in zip(leaves, prunable, strict=True) if p]
        gradient_fn = jax.grad(loss_of)
        _, product = jax.jvp(gradient_fn, (weights,), (gradient_fn(weights),))
        scores = [w * h for w, h in zip(weights, product, strict=True)]
        zeros = [jnp.zeros_like(leaf) for leaf in leaves]
        return nan_unless_finite(loss_of(weights), merge(scores, zeros))

    return score_fn
