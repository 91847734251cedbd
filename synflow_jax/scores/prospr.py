"""ProsPr: how much the loss after the first steps of training feels a weight's connection."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from synflow_jax.checks import check_bool, check_number, check_rounds
from synflow_jax.losses import check_loss_fn, checked_loss, first_axis, nan_unless_finite
from synflow_jax.masks import apply_mask
from synflow_jax.types import LossFn, Mask, Params, ScoreFn, Scores


def prospr(
    loss_fn: LossFn, learning_rate: float, steps: int, *, first_order: bool = False
) -> ScoreFn:
    """Score ``|dL(params after T steps of SGD)/dm|`` at the mask m, T = ``steps``.

    Training starts from ``m * w``, and the derivative goes back through all of its steps: a weight
    counts by what it does once the others have moved (Alizadeh et al. 2022, arXiv:2202.08132,
    equation 5). Pruned weights stay 0 in the steps. With ``steps=0`` it's SNIP.

    Args:
        loss_fn: ``loss_fn(params, batch) -> scalar``, the mean over the batch, such as
            `cross_entropy(apply_fn)`.
        learning_rate: of plain SGD, positive.
        steps: how many, at least 1. A batch for each is in memory, and what one step needs for its
            derivative, computed anew on the way back.
        first_order: whether the gradients of the steps count as constants, so that no second
            derivatives are taken.

    Returns:
        A score function that needs a batch, whose arrays have an axis of ``steps + 1`` before all
        others: a batch for each step, and a last one for L. It needs no key. The scores have the
        params' shapes and dtypes; they are 0 where pruned, and all NaN if the loss isn't finite.

    Raises:
        ValueError: learning_rate or steps are out of range; when the score function is called, the
            batch is None or hasn't that axis, ``loss_fn`` fails or returns more than one number, or
            mask and params don't match.
        TypeError: an argument is of another kind; when the score function is called, the loss isn't
            floating-point or comes with something else, or a leaf of the mask isn't boolean.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> score_fn = sf.prospr(lambda params, x: jnp.sum(x * params["kernel"] ** 2), 0.1, 1)
    >>> params, mask = {"kernel": jnp.array([[1.0, -2.0]])}, {"kernel": jnp.array(True)}
    >>> score_fn(params, mask, jnp.ones((2, 1, 2)), None)["kernel"]  # L = (0.8 m w)^2
    Array([[1.28, 5.12]], dtype=float32)
    """
    check_loss_fn(loss_fn)
    checked = checked_loss("prospr", loss_fn)
    learning_rate = check_number("learning_rate", learning_rate, "a number such as 0.1")
    if not 0 < learning_rate < float("inf"):
        raise ValueError(
            f"learning_rate must be positive and finite, got learning_rate={learning_rate:g}"
        )
    steps = check_rounds(steps, "steps")
    check_bool("first_order", first_order)

    def score_fn(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        del key
        found = first_axis("prospr", batch, f"{steps + 1} batches")
        if found != steps + 1:
            raise ValueError(
                f"prospr with steps={steps} takes a batch whose arrays have {steps + 1} batches "
                f"along their first axis, got {found}"
            )
        masked = apply_mask(mask, params)
        batches = jax.tree.map(jnp.asarray, batch)

        @jax.checkpoint
        def step(weights: Params, own: Any) -> tuple[Params, None]:
            gradient = apply_mask(mask, jax.grad(checked)(weights, own))
            if first_order:
                gradient = lax.stop_gradient(gradient)
            return jax.tree.map(lambda w, g: w - learning_rate * g, weights, gradient), None

        def trained_loss(weights: Params) -> jax.Array:
            weights, _ = lax.scan(step, weights, jax.tree.map(lambda x: x[:-1], batches))
            return checked(weights, jax.tree.map(lambda x: x[-1], batches))

        loss, gradient = jax.value_and_grad(trained_loss)(masked)
        scores = jax.tree.map(lambda w, g: jnp.abs(w * g), masked, gradient)
        return nan_unless_finite(loss, scores)

    return score_fn
