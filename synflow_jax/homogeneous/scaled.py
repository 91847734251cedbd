"""Numbers beyond a float's range: arrays held as mantissa * 2 ** exponent.

Multiplying by a power of two doesn't round, so arithmetic on mantissas gives the same bits as
plain arithmetic wherever that neither overflows nor underflows.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.homogeneous.repeats import Origins, whole


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Scaled:
    """The value ``mantissa * 2 ** exponent``.

    Attributes:
        mantissa: floating-point, of any shape.
        exponent: int32 scalar, one for the whole array; a constant to the gradient. (What a scan
            stacks has one for each slice of the leading axis, until `with_one_exponent`.)
        growth: by how many powers of two the mantissa may have grown since it was last
            normalized. Known when tracing.
        origins: which slices the mantissa holds. Known when tracing.
    """

    mantissa: jax.Array
    exponent: jax.Array
    growth: int = field(default=0, metadata={"static": True})
    origins: Origins = field(default=(), metadata={"static": True})

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole array, with all its slices."""
        held = self.mantissa.shape
        origins = self.origins or (None,) * len(held)
        return tuple(len(o.places) if o else n for n, o in zip(held, origins, strict=True))


# The exponent of 0: below all others, so that 0 decides no common exponent. Sums of some tens of
# it still fit in int32.
_ZERO_EXPONENT = -(2**24)


def coefficient_growth(dtype: jnp.dtype) -> int:
    """By how many powers of two a product with a coefficient may grow: 40 in float32.

    Coefficients are taken to be within 2 ** +-40 there, so that neither their product with a
    mantissa nor the weights of the layer that follows need a normalization of their own.
    """
    return 5 * jnp.finfo(dtype).maxexp // 16


def _most_growth(dtype: jnp.dtype) -> int:
    """By how many powers of two a mantissa may grow before it's normalized: 80 in float32."""
    return 2 * coefficient_growth(dtype)


def scaled(x: jax.Array | np.ndarray) -> Scaled:
    """``x`` with a mantissa whose largest element is in [1, 2)."""
    if isinstance(x, np.ndarray):
        largest = x.max(initial=0)
        exponent = int(np.frexp(largest)[1]) - 1 if largest else _ZERO_EXPONENT
        return Scaled(jnp.asarray(np.ldexp(x, -exponent)), jnp.int32(exponent))
    return normalized(Scaled(x, jnp.int32(0)))


def normalized(x: Scaled) -> Scaled:
    """The same value with a mantissa whose largest element is in [1, 2); an array of 0 stays 0."""
    mantissa, exponent = _normalized(x.mantissa, x.exponent)
    return replace(x, mantissa=mantissa, exponent=exponent, growth=0)


# Jitted, as is `_at_largest`, so that it's traced and differentiated once for a shape.
@jax.jit
def _normalized(mantissa: jax.Array, exponent: jax.Array) -> tuple[jax.Array, jax.Array]:
    top = _top(mantissa)
    return _times_power(mantissa, -top), jnp.maximum(exponent + top, _ZERO_EXPONENT)


def unfolded(x: Scaled) -> Scaled:
    """``x`` with all slices in its mantissa, equal ones too."""
    return replace(x, mantissa=whole(x.mantissa, x.origins), origins=())


def grown(x: Scaled, growth: int) -> Scaled:
    """``x``, normalized if ``growth`` powers of two more may bring it near overflow."""
    growth += x.growth
    if growth > _most_growth(x.mantissa.dtype):
        return normalized(x)
    return replace(x, growth=growth)


def aligned(*values: Scaled | jax.Array) -> list[Scaled]:
    """The same values, coefficients among them, at one common exponent, the largest."""
    growth = max(value.growth for value in values if isinstance(value, Scaled))
    parts = [(v.mantissa, v.exponent) if isinstance(v, Scaled) else (v, None) for v in values]
    mantissas, exponent = _at_largest(parts)
    return [
        replace(value, mantissa=mantissa, exponent=exponent, growth=growth)
        if isinstance(value, Scaled)
        else Scaled(mantissa, exponent)
        for value, mantissa in zip(values, mantissas, strict=True)
    ]


@jax.jit
def _at_largest(
    parts: Sequence[tuple[jax.Array, jax.Array | None]],
) -> tuple[list[jax.Array], jax.Array]:
    tops = [_top(array) if exponent is None else exponent for array, exponent in parts]
    largest = functools.reduce(jnp.maximum, tops)
    return [_shifted(array, exponent, largest) for array, exponent in parts], largest


def _shifted(array: jax.Array, exponent: jax.Array | None, wanted: jax.Array) -> jax.Array:
    if exponent is None:
        # A coefficient that needs a larger power of two is 0, and its gradient would overflow.
        return _times_power(array, -wanted, most=_most_growth(array.dtype))
    return _times_power(array, exponent - wanted)


def at_exponent(exponent: jax.Array, *values: Scaled) -> list[Scaled]:
    """The same values at a common exponent that's no lower than theirs."""
    growth = max(value.growth for value in values)
    return [
        replace(
            value,
            mantissa=_shifted(value.mantissa, value.exponent, exponent),
            exponent=exponent,
            growth=growth,
        )
        for value in values
    ]


def at_own_exponent(x: Scaled) -> jax.Array:
    """The value itself, which its type must hold."""
    return _times_power(x.mantissa, x.exponent)


def sum_of_all(values: Sequence[Scaled]) -> Scaled:
    """The sum of all elements of all values."""
    sums = aligned(*(replace(value, mantissa=jnp.sum(value.mantissa)) for value in values))
    mantissa = sums[0].mantissa
    for value in sums[1:]:
        mantissa = mantissa + value.mantissa
    return replace(sums[0], mantissa=mantissa)


def with_one_exponent(x: Scaled) -> Scaled:
    """``x`` with one exponent, the largest, where each slice of the leading axis has its own."""
    largest = jnp.max(x.exponent, initial=jnp.iinfo(jnp.int32).min)
    each = x.exponent.reshape(-1, *[1] * (x.mantissa.ndim - 1))
    return Scaled(_times_power(x.mantissa, each - largest), largest, x.growth)


def _top(x: jax.Array) -> jax.Array:
    """The exponent of the largest element of a nonnegative array."""
    return _exponent(jnp.max(lax.stop_gradient(x), initial=0))


# Jitted so that tracing them often is cheap.
@jax.jit
def _exponent(x: jax.Array) -> jax.Array:
    """The exponent of a nonnegative float; that of 0 is below all others."""
    info = jnp.finfo(x.dtype)
    bits = lax.bitcast_convert_type(jnp.abs(x), jnp.dtype(f"int{info.bits}"))
    bias = info.maxexp - 1
    # One less than the highest, so that the power of two that undoes it is a normal number.
    biased = jnp.minimum((bits >> info.nmant).astype(jnp.int32), 2 * bias - 1)
    return jnp.where(biased == 0, _ZERO_EXPONENT, biased - bias)


def _times_power(x: jax.Array, exponent: jax.Array, *, most: int | None = None) -> jax.Array:
    """``x * 2 ** exponent``, exactly; 0 below the normal numbers and where exponent > most."""
    largest = jnp.finfo(x.dtype).maxexp - 2
    return x * _power_of_two(exponent, dtype=x.dtype, most=largest if most is None else most)


@functools.partial(jax.jit, static_argnames=("dtype", "most"))
def _power_of_two(exponent: jax.Array, *, dtype: jnp.dtype, most: int) -> jax.Array:
    info = jnp.finfo(dtype)
    bias = info.maxexp - 1
    # The bits of 2 ** -exponent. What is out of range becomes inf: a negative number is a large
    # one without its sign.
    above = jnp.minimum((most - exponent).astype(jnp.uint32), bias + 1 + most)
    bits = (above + (bias - most)).astype(f"int{info.bits}") << info.nmant
    # XLA copies cheap arithmetic into all that uses it, but does a division once.
    return 1 / lax.bitcast_convert_type(bits, dtype)
