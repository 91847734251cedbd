"""Scores of weights that need data, added up over an architecture, and the gradient's norm."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from synflow_jax.masks import full_mask
from synflow_jax.types import ApplyFn, Params, ScoreFn

ChoiceFn = Callable[[Params, Any, Any], jax.Array]


def score_total(
    network: ChoiceFn, score: Callable[[ApplyFn], ScoreFn]
) -> Callable[[Params, Any, Any], jax.Array]:
    """A measure: the sum of all scores of an architecture's weights.

    Args:
        network: ``network(params, inputs, choice) -> outputs``.
        score: makes a score function of ``apply_fn(params, inputs)``, such as
            ``lambda apply_fn: sf.snip(sf.cross_entropy(apply_fn))``. It's given `rank`'s batch.

    Returns:
        ``measure(params, choice, batch)``, for `rank`: a scalar.

    Raises:
        Exception: what ``network`` raises when the measure is called.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> measure = sf.score_total(lambda params, inputs, choice: inputs @ params * choice,
    ...                          lambda apply_fn: sf.magnitude())
    >>> float(sf.rank(measure, -jnp.ones((2, 3)), jnp.ones((1, 1)))[0])
    6.0
    """

    def measure(params: Params, choice: Any, batch: Any) -> jax.Array:
        score_fn = score(lambda weights, inputs: network(weights, inputs, choice))
        scores = score_fn(params, full_mask(params), batch, None)
        return sum(map(jnp.sum, jax.tree.leaves(scores)), jnp.zeros(()))

    return measure


def gradient_norm(
    network: ChoiceFn, loss: Callable[[ApplyFn], Callable[[Params, Any], jax.Array]]
) -> Callable[[Params, Any, Any], jax.Array]:
    """A measure: the Euclidean norm of the loss's gradient, all params together.

    Args:
        network: ``network(params, inputs, choice) -> outputs``.
        loss: makes ``loss_fn(params, batch)`` of ``apply_fn``, such as `cross_entropy`.

    Returns:
        ``measure(params, choice, batch)``, for `rank`: a scalar.

    Raises:
        Exception: what ``network`` raises when the measure is called.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> measure = sf.gradient_norm(lambda params, inputs, choice: inputs @ params * choice,
    ...                            lambda apply_fn: lambda p, batch: jnp.sum(apply_fn(p, batch)))
    >>> float(sf.rank(measure, jnp.ones((4, 1)), jnp.ones((1, 1)), batch=jnp.ones((1, 4)))[0])
    2.0
    """

    def measure(params: Params, choice: Any, batch: Any) -> jax.Array:
        loss_fn = loss(lambda weights, inputs: network(weights, inputs, choice))
        squares = jax.tree.map(lambda g: jnp.sum(g**2), jax.grad(loss_fn)(params, batch))
        return jnp.sqrt(sum(jax.tree.leaves(squares), jnp.zeros(())))

    return measure
