"""Where paths lead: the linear network of 0 and 1, in which nothing is too small or too large.

How many paths lead to a unit, and from it, is a number that may differ between units of one layer
by more than a float holds. Whether there are any is a flag. So in this network all weights, all
values of the flow and, on the way back, all gradients are flags: after each operation whatever
isn't 0 becomes 1. A weight is on a path where it, the flow into it and the gradient that comes back
to it are 1 at one position.

What chooses one of several values, as maximum pooling does, adds them up here: a path leads through
each that may be chosen.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import primitives

from synflow_jax.homogeneous.equations import Site
from synflow_jax.homogeneous.scaled import Scaled, at_own_exponent
from synflow_jax.homogeneous.values import Coefficient, Value

# Some algorithms for convolutions leave a little where nothing adds up. What adds up is 1 or more.
_ROUNDED = {"conv_general_dilated": 0.5}
_SUMS = {
    **dict.fromkeys(("max", "min"), primitives.add_p),
    **dict.fromkeys(("cummax", "cummin"), primitives.cumsum_p),
    **dict.fromkeys(("reduce_max", "reduce_min"), primitives.reduce_sum_p),
    **dict.fromkeys(("reduce_window_max", "reduce_window_min"), primitives.reduce_window_sum_p),
}


def adding_up(site: Site, operands: Sequence[Value]) -> Site:
    """An operation that chooses among parts of the flow as the one that adds them up."""
    equation = site.equation
    primitive = _SUMS.get(equation.primitive.name)
    if primitive is None or not all(isinstance(operand, Scaled) for operand in operands):
        return site
    params = dict(equation.params)
    if primitive is primitives.reduce_sum_p:
        params["out_sharding"] = None
    return site._replace(equation=equation.replace(primitive=primitive, params=params))


def as_flags(site: Site, operands: Sequence[Value]) -> list[Value]:
    """Operands as 0, 1 and -1; what isn't floating-point is an index or a choice, and stays."""
    least = _ROUNDED.get(site.equation.primitive.name, 0.0)

    def flagged(value: Value) -> Value:
        if isinstance(value, Scaled):
            # It's 0 or 1 already; this is for the gradient that comes back.
            return replace(value, mantissa=_flags(value.mantissa, 0.0, least)) if least else value
        if not jnp.issubdtype(jnp.result_type(value.value), jnp.floating):
            return value
        if isinstance(value.value, np.ndarray):
            return replace(value, value=np.sign(value.value))
        return replace(value, value=_flags(value.value, 0.0, least))

    return [flagged(operand) for operand in operands]


def flags_of(site: Site, result: Value) -> Value:
    """A result as 0 and 1."""
    if isinstance(result, Coefficient):
        return result
    least = _ROUNDED.get(site.equation.primitive.name, 0.0)
    mantissa = _flags(at_own_exponent(result), least, 0.0)
    return replace(result, mantissa=mantissa, exponent=jnp.int32(0), growth=0)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _flags(x: jax.Array, least: float, least_back: float) -> jax.Array:
    """The signs of what is farther from 0 than ``least``; so for the gradient on its way back."""
    del least_back
    return jnp.where(jnp.abs(x) > least, jnp.sign(x), jnp.zeros_like(x))


def _forward(x: jax.Array, least: float, least_back: float) -> tuple[jax.Array, None]:
    return _flags(x, least, least_back), None


def _backward(least: float, least_back: float, _: Any, gradient: jax.Array) -> tuple[jax.Array]:
    del least
    return (_flags(gradient, least_back, 0.0),)


_flags.defvjp(_forward, _backward)
