"""NASWOT: how differently an architecture's ReLUs open for different inputs."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from synflow_jax.types import Params


def naswot(
    patterns_fn: Callable[[Params, Any, Any], jax.Array],
) -> Callable[[Params, Any, Any], jax.Array]:
    """A measure: the log-determinant of how many units agree for each pair of inputs.

    Mellor et al. 2021, arXiv:2006.04647. It's -inf where two inputs open the same units.

    Args:
        patterns_fn: ``patterns_fn(params, inputs, choice) -> (N, N)``, for each pair of inputs how
            many units are both open or both closed. The inputs are `rank`'s batch, or its first
            element if that is a pair.

    Returns:
        ``measure(params, choice, batch)``, for `rank`: a scalar.

    Raises:
        Exception: what ``patterns_fn`` raises when the measure is called.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> measure = sf.naswot(lambda params, inputs, choice: jnp.diag(inputs) * choice)
    >>> bool(jnp.isclose(sf.rank(measure, None, jnp.ones((1, 1)), batch=jnp.array([1.0, 2.0]))[0],
    ...                  jnp.log(2.0)))
    True
    """

    def measure(params: Params, choice: Any, batch: Any) -> jax.Array:
        inputs = batch[0] if isinstance(batch, tuple) else batch
        return jnp.linalg.slogdet(patterns_fn(params, inputs, choice))[1]

    return measure
