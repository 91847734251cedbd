"""Numbers beyond a float's range: arrays held as mantissa * 2 ** exponent.

Multiplying by a power of two doesn't round, so arithmetic on mantissas gives the same bits as
plain arithmetic wherever that neither overflows nor underflows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
from jax import lax


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Scaled:
    """The value ``mantissa * 2 ** exponent``.

    Attributes:
        mantissa: floating-point, of any shape.
        exponent: int32 scalar, one for the whole array; a constant to the gradient.
        growth: by how many powers of two the mantissa may have grown since it was last
            normalized. Known when tracing.
    """

    mantissa: jax.Array
    exponent: jax.Array
    growth: int = field(default=0, metadata={"static": True})


# A quarter of float32's range; the rest is for the next operation.
_MOST_GROWTH = 32
# The exponent of 0: below all others, so that 0 decides no common exponent. Sums of some tens of
# it still fit in int32.
_ZERO_EXPONENT = -(2**24)


def scaled(x: jax.Array) -> Scaled:
    """``x`` with a mantissa whose largest magnitude is in [1, 2)."""
    return normalized(Scaled(x, jnp.int32(0)))


def normalized(x: Scaled) -> Scaled:
    """The same value with a mantissa whose largest magnitude is in [1, 2); 0 stays."""
    if not x.mantissa.size:
        return replace(x, growth=0)
    largest = jnp.max(jnp.abs(lax.stop_gradient(x.mantissa)))
    shift = _exponent(largest)
    exponent = jnp.where(largest == 0, _ZERO_EXPONENT, x.exponent + shift)
    return Scaled(x.mantissa * _power_of_two(-shift, x.mantissa.dtype), exponent)


def grown(x: Scaled, growth: int) -> Scaled:
    """``x``, normalized if ``growth`` powers of two more may bring it near overflow."""
    growth += x.growth
    return normalized(x) if growth > _MOST_GROWTH else replace(x, growth=growth)


def aligned(*values: Scaled) -> list[Scaled]:
    """The same values at one common exponent, the largest."""
    exponent = values[0].exponent
    for value in values[1:]:
        exponent = jnp.maximum(exponent, value.exponent)
    return at_exponent(exponent, *values)


def at_exponent(exponent: jax.Array, *values: Scaled) -> list[Scaled]:
    """The same values at a common exponent that's no lower than theirs."""
    growth = max(value.growth for value in values)
    return [
        Scaled(
            v.mantissa * _power_of_two(v.exponent - exponent, v.mantissa.dtype), exponent, growth
        )
        for v in values
    ]


def total(values: Sequence[Scaled]) -> Scaled:
    """The sum of all elements of all values."""
    sums = aligned(*(replace(value, mantissa=jnp.sum(value.mantissa)) for value in values))
    mantissa = sums[0].mantissa
    for value in sums[1:]:
        mantissa = mantissa + value.mantissa
    return replace(sums[0], mantissa=mantissa)


def joined_exponent(x: Scaled) -> Scaled:
    """One exponent, the largest, for slices of the leading axis that each have their own."""
    largest = jnp.max(x.exponent, initial=jnp.iinfo(jnp.int32).min)
    factors = _power_of_two(x.exponent - largest, x.mantissa.dtype)
    shape = (-1,) + (1,) * (x.mantissa.ndim - 1)
    return Scaled(x.mantissa * factors.reshape(shape), largest, x.growth)


def _exponent(x: jax.Array) -> jax.Array:
    """The exponent of a nonnegative float; 0 for 0."""
    info = jnp.finfo(x.dtype)
    bits = lax.bitcast_convert_type(x, jnp.dtype(f"int{info.bits}")) >> info.nmant
    bias = info.maxexp - 1
    # Clipped so that the power of two that undoes it is a normal number.
    exponent = jnp.clip(bits.astype(jnp.int32) - bias, 1 - bias, bias - 1)
    return jnp.where(x == 0, 0, exponent)


def _power_of_two(exponent: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """``2 ** exponent`` exactly; 0 and inf beyond the normal numbers."""
    info = jnp.finfo(dtype)
    bias = info.maxexp - 1
    bits = jnp.clip(exponent + bias, 0, 2 * bias + 1).astype(f"int{info.bits}") << info.nmant
    return lax.bitcast_convert_type(bits, dtype)
