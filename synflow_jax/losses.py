"""Losses for the scores that need data."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from synflow_jax.checks import called, check_float_output
from synflow_jax.types import ApplyFn, LossFn, Params, Scores


def cross_entropy(apply_fn: ApplyFn, temperature: float = 1.0) -> LossFn:
    """Mean cross-entropy of ``softmax(apply_fn(params, inputs) / temperature)``.

    Args:
        apply_fn: ``apply_fn(params, inputs) -> logits`` of shape ``(batch, classes)``.
        temperature: positive divisor of the logits. GraSP uses 200 (Wang et al. 2020, section 4).

    Returns:
        ``loss_fn(params, batch) -> scalar`` for ``batch = (inputs, labels)``, integer labels of
        shape ``(batch,)``.

    Raises:
        ValueError: temperature isn't positive.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> loss_fn = sf.cross_entropy(lambda params, inputs: inputs @ params)
    >>> loss_fn(jnp.zeros((3, 2)), (jnp.ones((4, 3)), jnp.array([0, 1, 1, 0])))
    Array(0.6931472, dtype=float32)
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got temperature={temperature}")

    def loss_fn(params: Params, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
        inputs, labels = batch
        logits = apply_fn(params, inputs) / temperature
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))

    return loss_fn


def checked_loss(method: str, loss_fn: LossFn) -> LossFn:
    """``loss_fn``, refusing a missing batch and a result that isn't one floating-point number."""

    def checked(params: Params, batch: Any) -> jax.Array:
        if batch is None:
            raise ValueError(
                f"{method} scores need data, got batch=None; pass batch=(inputs, labels) or "
                "whatever loss_fn(params, batch) takes"
            )
        loss = called("loss_fn", loss_fn, params, batch)
        check_float_output("loss_fn", loss)
        if jnp.shape(loss) != ():
            raise ValueError(
                f"loss_fn must return a scalar, got shape {jnp.shape(loss)}; take the mean "
                "over the batch"
            )
        return loss

    return checked


def nan_unless_finite(loss: jax.Array, scores: Scores) -> Scores:
    """``scores``, or NaN where the loss isn't finite: a label out of range makes it NaN and yet
    leaves its gradient finite.
    """
    return jax.tree.map(lambda s: jnp.where(jnp.isfinite(loss), s, jnp.nan), scores)
