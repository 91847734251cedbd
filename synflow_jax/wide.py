"""Counts of more than 2**31 weights, exact without 64-bit integers: two words of 32 bits."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_BITS = 16


class Wide(NamedTuple):
    """Nonnegative integers ``high * 2**16 + low`` up to 2**47, with ``low`` below 2**16.

    Attributes:
        high: int32 of any shape.
        low: int32 of the same shape.
    """

    high: jax.Array
    low: jax.Array


def wide(count: jax.Array | np.ndarray | int) -> Wide:
    """A count from the host (any integers), or from the device (int32)."""
    if not isinstance(count, jax.Array):
        count = np.asarray(count, np.int64)
        return Wide(*(jnp.asarray(x, jnp.int32) for x in (count >> _BITS, count % 2**_BITS)))
    return Wide(count >> _BITS, count & (2**_BITS - 1))


def total(counts: Sequence[jax.Array]) -> Wide:
    """The sum of fewer than 2**15 counts, int32 arrays of one shape."""
    words = [wide(count) for count in counts]
    return _carried(sum(word.high for word in words), sum(word.low for word in words))


def plus(a: Wide, b: Wide) -> Wide:
    """``a + b``."""
    return _carried(a.high + b.high, a.low + b.low)


def minus(a: Wide, b: Wide) -> Wide:
    """``a - b``, where that's nonnegative."""
    return _carried(a.high - b.high, a.low - b.low)


def _carried(high: jax.Array | int, low: jax.Array | int) -> Wide:
    low = jnp.asarray(low)
    return Wide(high + (low >> _BITS), low & (2**_BITS - 1))


def at_least(a: Wide, b: Wide) -> jax.Array:
    """Whether ``a >= b``."""
    return (a.high > b.high) | ((a.high == b.high) & (a.low >= b.low))


def same(a: Wide, b: Wide) -> jax.Array:
    """Whether ``a == b``."""
    return (a.high == b.high) & (a.low == b.low)


def as_float(a: Wide) -> jax.Array:
    """Near ``a`` in float32."""
    return a.high.astype(jnp.float32) * 2**_BITS + a.low.astype(jnp.float32)


def at_most(a: Wide, count: jax.Array) -> jax.Array:
    """The smaller of ``a`` and an int32 count, int32."""
    # Where a is larger, its high word may not be shifted.
    smaller = at_least(wide(count), a)
    return jnp.where(smaller, (jnp.where(smaller, a.high, 0) << _BITS) + a.low, count)
