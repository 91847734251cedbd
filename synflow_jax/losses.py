"""Losses for the scores that need data."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from synflow_jax.checks import called, check_float_output, check_number, check_params_fn, shown
from synflow_jax.types import ApplyFn, LossFn, Params, Scores


def cross_entropy(apply_fn: ApplyFn, temperature: float = 1.0) -> LossFn:
    """Mean cross-entropy of labels under ``softmax(apply_fn(params, inputs) / temperature)``.

    Args:
        apply_fn: ``apply_fn(params, inputs) -> logits`` of shape ``(batch, classes)``.
        temperature: positive divisor of the logits. GraSP uses 200 (Wang et al. 2020,
            arXiv:2002.07376, section 4).

    Returns:
        ``loss_fn(params, batch) -> scalar`` for ``batch = (inputs, labels)``, with integer labels
        of shape ``(batch,)``; in the logits' dtype. The loss is NaN if a label isn't one of the
        classes.

    Raises:
        ValueError: temperature isn't positive and finite; when the loss is called, logits are a
            scalar or labels have another shape.
        TypeError: ``apply_fn`` isn't a function of params and inputs, or temperature isn't a
            number; when the loss is called, the batch isn't a pair, logits aren't a floating-point
            array or labels aren't integers.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> loss_fn = sf.cross_entropy(lambda params, inputs: inputs @ params)
    >>> loss_fn(jnp.zeros((3, 2)), (jnp.ones((4, 3)), jnp.array([0, 1, 1, 0])))
    Array(0.6931472, dtype=float32)
    """
    check_params_fn("apply_fn", apply_fn, "params, inputs", "what sf.from_nnx(model) returns first")
    temperature = check_number("temperature", temperature, "a number such as 1.0")
    if not 0 < temperature < math.inf:
        raise ValueError(
            f"temperature must be positive and finite, got temperature={temperature:g}"
        )

    def loss_fn(params: Params, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
        inputs, labels = _pair(batch)
        logits = apply_fn(params, inputs)
        _check_logits(logits)
        _check_labels(labels, logits.shape)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits / temperature, labels)
        # A negative label would be counted from the last class.
        return jnp.mean(jnp.where(labels < 0, jnp.nan, losses))

    return loss_fn


def _pair(batch: Any) -> tuple[Any, Any]:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        several = isinstance(batch, tuple | list)
        found = f"a {type(batch).__name__} of {len(batch)}" if several else shown(batch)
        raise TypeError(f"batch must be a pair, got {found}; pass batch=(inputs, labels)")
    return batch[0], batch[1]


def _check_logits(logits: Any) -> None:
    if not isinstance(logits, jax.Array | np.ndarray):
        raise TypeError(
            f"apply_fn must return an array of logits, got {shown(logits)}; return them alone"
        )
    check_float_output("apply_fn", logits)
    if not logits.ndim:
        raise ValueError("apply_fn must return logits of shape (batch, classes), got a scalar")


def _check_labels(labels: Any, logits: tuple[int, ...]) -> None:
    kind = getattr(labels, "dtype", None)
    if kind is None or not jnp.issubdtype(kind, jnp.integer):
        raise TypeError(
            f"labels must be an array of integers of shape {logits[:-1]}, got {shown(labels)}; "
            "pass one class for each input, as one_hot.argmax(-1) gives"
        )
    if labels.shape != logits[:-1]:
        raise ValueError(
            f"labels must have shape {logits[:-1]} for logits of shape {logits}, "
            f"got {labels.shape}; pass one class for each input"
        )


def check_loss_fn(loss_fn: Any) -> None:
    """``loss_fn`` is a function of params and batch."""
    instead = "sf.cross_entropy(apply_fn) or your own"
    check_params_fn("loss_fn", loss_fn, "params, batch", instead)


def checked_loss(method: str, loss_fn: LossFn) -> LossFn:
    """``loss_fn``, refusing a missing batch and a result that isn't one floating-point number."""

    def checked(params: Params, batch: Any) -> jax.Array:
        check_data(method, batch)
        loss = called("loss_fn", loss_fn, params, batch)
        if isinstance(loss, tuple | list | dict):
            raise TypeError(
                f"loss_fn must return only the scalar loss, got a {type(loss).__name__} of "
                f"{len(loss)}; leave out what else it returns"
            )
        check_float_output("loss_fn", loss)
        if jnp.shape(loss) != ():
            raise ValueError(
                f"loss_fn must return a scalar, got shape {jnp.shape(loss)}; take the mean "
                "over the batch"
            )
        return loss

    return checked


def check_data(method: str, batch: Any) -> None:
    """There is a batch."""
    if batch is None:
        raise ValueError(
            f"{method} scores need data, got batch=None; pass batch=(inputs, labels) or "
            "whatever loss_fn(params, batch) takes"
        )


def first_axis(method: str, batch: Any, what: str) -> int:
    """The size of the first axis of all arrays of a batch, which is of ``what``."""
    check_data(method, batch)
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(batch)]
    sizes = {shape[0] if shape else 0 for shape in shapes}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(
            f"{method} takes a batch whose arrays have {what} along their first axis, equally many "
            f"in all and at least one; got shapes {shapes}"
        )
    return sizes.pop()


def nan_unless_finite(loss: jax.Array, scores: Scores) -> Scores:
    """``scores``, or NaN in their place if the loss isn't finite.

    A label out of range makes the loss NaN and yet leaves its gradient finite.
    """
    return jax.tree.map(lambda s: jnp.where(jnp.isfinite(loss), s, jnp.nan), scores)
