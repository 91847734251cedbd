"""The values that meet in the linear network: parts of the flow, and coefficients."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import Literal

from synflow_jax.homogeneous.scaled import Scaled
from synflow_jax.homogeneous.signs import Sign


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Coefficient:
    """A value that doesn't depend on the network's input.

    Attributes:
        value: an array of any shape and dtype.
        trained: whether it depends on the params, a bool.
        sign: what is known of its elements' signs without its numbers.
        known: a function without arguments that returns its numbers; None unless they are known
            when tracing.
    """

    value: Any
    trained: bool = field(default=False, metadata={"static": True})
    sign: Sign = field(default=Sign.EITHER, metadata={"static": True})
    known: Callable[[], Any] | None = field(default=None, metadata={"static": True})

    def holds(self, condition: Callable[[np.ndarray], Any]) -> bool:
        """Whether its numbers are known and meet a condition, all of them."""
        return self.known is not None and bool(np.all(condition(np.asarray(self.known()))))

    def known_sign(self) -> Sign:
        """Its sign, found from its numbers if only these tell."""
        if self.sign is Sign.EITHER and self.holds(lambda x: x >= 0):
            return Sign.NONNEGATIVE
        if self.sign is Sign.EITHER and self.holds(lambda x: x <= 0):
            return Sign.NONPOSITIVE
        return self.sign


Value = Scaled | Coefficient


def param(array: jax.Array) -> Coefficient:
    """A parameter in absolute value."""
    return Coefficient(array, trained=True, sign=Sign.NONNEGATIVE)


def fixed(array: Any) -> Coefficient:
    """An array that the function closes over."""
    array = widened(array)
    known = None if isinstance(array, Tracer) else functools.cache(lambda: array)
    return Coefficient(array, known=known)


def literal(value: Literal) -> Coefficient:
    """A number written in the program."""
    return literal_of(value.val, value.aval)


def literal_of(number: Any, aval: Any) -> Coefficient:
    """A number written in the program, of the type that its place has."""
    array = widened(np.asarray(number, getattr(aval, "dtype", None)))
    sign = Sign.NONNEGATIVE if np.all(array >= 0) else Sign.EITHER
    return Coefficient(array, sign=sign, known=functools.cache(lambda: array))


def with_array(value: Value, array: jax.Array) -> Value:
    """``value`` with another array; what is known of it stays, but for the numbers."""
    if isinstance(value, Scaled):
        return replace(value, mantissa=array)
    return replace(value, value=array, known=None)


def is_narrow(dtype: Any) -> bool:
    """Whether a floating-point type has fewer exponents than float32, such as float16."""
    return jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).maxexp < 128


def widened(array: Any) -> Any:
    """The array, in float32 if its type is narrower."""
    narrow = is_narrow(jnp.result_type(array))
    return array.astype(jnp.float32) if narrow else array
