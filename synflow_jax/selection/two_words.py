"""Two-word counts: exact counts of more than 2**31 weights without 64-bit integers.

Without `jax_enable_x64` JAX has no int64, so a count is held in two int32 words, as two digits of a
number by hand: 5,000,000,000 is ``76293 * 2**16 + 61952``. Words are added and subtracted one by
one; then what is above or below the lower word's 16 bits is carried to the higher word.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# Bits of the lower word, of the 31 that int32 has: up to 2**15 lower words add up without overflow.
_LOW_BITS = 16


class TwoWordCount(NamedTuple):
    """Nonnegative integers ``high * 2**16 + low`` below 2**47; made by `two_words`.

    Attributes:
        high: the higher words, int32 of any shape.
        low: the lower words, int32 of high's shape, from 0 to 2**16 - 1.
    """

    high: jax.Array
    low: jax.Array


def two_words(number: jax.Array | np.ndarray | int) -> TwoWordCount:
    """Counts of weights beyond int32, as `prune_rounds` and `kth_highest` take them.

    Args:
        number: nonnegative integers of any shape: an int or a NumPy array below 2**47, or a JAX
            array of int32 or uint32.

    Returns:
        A `TwoWordCount` of two int32 arrays in the shape of ``number``.

    Raises:
        OverflowError: an int beyond int64.

    >>> import synflow_jax as sf
    >>> sf.two_words(5_000_000_000)
    TwoWordCount(high=Array(76293, dtype=int32), low=Array(61952, dtype=int32))
    """
    if not isinstance(number, jax.Array):
        number = np.asarray(number, np.int64)
        words = number >> _LOW_BITS, number % 2**_LOW_BITS
        return TwoWordCount(*(jnp.asarray(word, jnp.int32) for word in words))
    words = number >> _LOW_BITS, number & (2**_LOW_BITS - 1)
    return TwoWordCount(*(word.astype(jnp.int32) for word in words))


def sum_of(numbers: Sequence[jax.Array]) -> TwoWordCount:
    """The sum, element by element, of fewer than 2**15 such arrays as `two_words` takes."""
    terms = [two_words(number) for number in numbers]
    return _carried(sum(term.high for term in terms), sum(term.low for term in terms))


def plus(a: TwoWordCount, b: TwoWordCount) -> TwoWordCount:
    """``a + b``."""
    return _carried(a.high + b.high, a.low + b.low)


def minus(a: TwoWordCount, b: TwoWordCount) -> TwoWordCount:
    """``a - b``, where that isn't negative."""
    return _carried(a.high - b.high, a.low - b.low)


def _carried(high: jax.Array | int, low: jax.Array | int) -> TwoWordCount:
    low = jnp.asarray(low)
    return TwoWordCount(high + (low >> _LOW_BITS), low & (2**_LOW_BITS - 1))


def at_least(a: TwoWordCount, b: TwoWordCount) -> jax.Array:
    """Whether ``a >= b``, boolean."""
    return (a.high > b.high) | ((a.high == b.high) & (a.low >= b.low))


def equal(a: TwoWordCount, b: TwoWordCount) -> jax.Array:
    """Whether ``a == b``, boolean."""
    return (a.high == b.high) & (a.low == b.low)


def as_float(a: TwoWordCount) -> jax.Array:
    """``a`` in float32, rounded."""
    return a.high.astype(jnp.float32) * 2**_LOW_BITS + a.low.astype(jnp.float32)


def smaller_of(a: TwoWordCount, number: jax.Array) -> jax.Array:
    """The smaller of ``a`` and an int32 number, int32."""
    # Where a is larger its high word isn't shifted, since that could overflow.
    is_smaller = at_least(two_words(number), a)
    return jnp.where(is_smaller, (jnp.where(is_smaller, a.high, 0) << _LOW_BITS) + a.low, number)
