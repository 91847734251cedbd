"""The search for the k-th largest of unsigned integers by counts alone, which it's given.

Between two bounds seven pivots are counted: how many integers are at least as large as each. The
tightest bounds of all nine enclose the k-th, and so on. It's a radix search where the pivots are
spread evenly, since they lie a power of 2 apart, and an interpolation search where they are not:
they lie around where the k-th is if the integers between the bounds are spread evenly, as far
apart as that is uncertain.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from synflow_jax.selection.counting import PIVOTS, Pivots
from synflow_jax.selection.two_words import (
    TwoWordCount,
    as_float,
    at_least,
    equal,
    minus,
    two_words,
)

# The share of the integers between the bounds by which they may be spread less evenly than by
# chance. With 1 % one of 14 searches in weights and scores of VGG-16 took a pass more.
_UNEVENNESS = 0.004


class Bounds(NamedTuple):
    """Two integers ``low < high`` that enclose the k-th largest: ``at_low >= k > at_high``.

    Attributes:
        low: the k-th largest integer is this or a larger one; a scalar, uint32 or uint64.
        high: the k-th largest is smaller than this; a scalar of the same type.
        at_low: how many integers are at least ``low``, a scalar.
        at_high: how many are at least ``high``, a scalar.
    """

    low: jax.Array
    high: jax.Array
    at_low: TwoWordCount
    at_high: TwoWordCount


class Guess(NamedTuple):
    """Where the k-th largest integer is expected.

    Attributes:
        bits: the integer expected, a scalar, uint32 or uint64.
        error: how far the k-th may be from there (a standard deviation and more), scalar float32.
    """

    bits: jax.Array
    error: jax.Array


Counts = Callable[[Pivots], TwoWordCount]
"""``counts(pivots)``: how many integers are at least each pivot, of shape ``(7,)``."""


def whole_range(dtype: jnp.dtype, size: int) -> Bounds:
    """Bounds that enclose all of ``size`` integers of an unsigned type."""
    # Room above for the pivots; no float but NaN has larger bits.
    high = jnp.asarray(jnp.iinfo(dtype).max - 2 * PIVOTS, dtype)
    return Bounds(jnp.zeros((), dtype), high, two_words(size), two_words(0))


def search(
    counts: Counts,
    k: TwoWordCount,
    bounds: Bounds,
    pivots: Pivots,
    *,
    enough: jax.Array | None = None,
    exactly: bool = False,
) -> Bounds:
    """Bounds narrowed until they separate the ``k`` largest integers from the others.

    Args:
        counts: counts the integers.
        k: from 1 to their number, or 0.
        bounds: where to start.
        pivots: the first ones.
        enough: stop as soon as so few integers are between the bounds, float32.
        exactly: go on until ``low`` is the k-th largest itself.

    Returns:
        Bounds with ``at_low == k``, or with no other integer between them than ``low``.
    """

    def goes_on(state: tuple[Bounds, Pivots]) -> jax.Array:
        going = unfinished(state[0], k, exactly)
        return going if enough is None else going & (number_between(state[0]) > enough)

    def narrow(state: tuple[Bounds, Pivots]) -> tuple[Bounds, Pivots]:
        bounds, pivots = state
        return narrower(bounds, k, pivots, counts(pivots))

    return lax.while_loop(goes_on, narrow, (bounds, pivots))[0]


def unfinished(bounds: Bounds, k: TwoWordCount, exactly: bool) -> jax.Array:
    """Whether a search has to go on."""
    going = bounds.high - bounds.low > 1
    return going if exactly else going & ~equal(bounds.at_low, k)


def narrower(
    before: Bounds, k: TwoWordCount, pivots: Pivots, counts: TwoWordCount
) -> tuple[Bounds, Pivots]:
    """A pass: tighter bounds, given the counts of the pivots, and the next pivots."""
    after = _tightest(before, k, pivots, counts)
    between, above = number_between(after), as_float(minus(after.at_low, k))
    # Of integers spread by chance a binomial number is above the guess, hence the square root. The
    # smaller a part of those before these are, the less uneven they are taken to be.
    unevenness = jnp.minimum(between / number_between(before), _UNEVENNESS)
    error = jnp.sqrt(above * (1 - above / between)) + unevenness * between + 1
    # Where more than a quarter of the range is left, pivots are spread evenly next, which leaves
    # less than a third whatever is counted.
    uneven = after.high - after.low > (before.high - before.low) >> 2
    return after, _next_pivots(after, interpolated(after, k, error), uneven)


def _tightest(bounds: Bounds, k: TwoWordCount, pivots: Pivots, counts: TwoWordCount) -> Bounds:
    """The two among old bounds and pivots between which the k-th largest integer is."""
    values = pivots.all()
    enough = jnp.sum(at_least(counts, k), dtype=jnp.int32)

    def two_of_nine(low: jax.Array, between: jax.Array, high: jax.Array) -> jax.Array:
        between = jnp.where(values < bounds.high, between, high)
        nine = jnp.concatenate([low[None], between, high[None]])
        return lax.dynamic_slice(nine, (enough,), (2,))

    low, high = two_of_nine(bounds.low, values, bounds.high)
    words = [two_of_nine(*each) for each in zip(bounds.at_low, counts, bounds.at_high, strict=True)]
    at_low, at_high = (TwoWordCount(*(word[i] for word in words)) for i in range(2))
    return Bounds(low, high, at_low, at_high)


def number_between(bounds: Bounds) -> jax.Array:
    """How many integers are between the bounds, ``low`` itself too, float32."""
    return as_float(minus(bounds.at_low, bounds.at_high))


def interpolated(bounds: Bounds, k: TwoWordCount, error: jax.Array) -> Guess:
    """The k-th largest integer if those between the bounds are spread evenly.

    Args:
        bounds: what encloses it.
        k: which one.
        error: by how many integers the guess may be off, float32.
    """
    between, above = number_between(bounds), as_float(minus(bounds.at_low, k))
    width = (bounds.high - bounds.low).astype(jnp.float32)
    # Not the upper bound itself, which a rounded width might even exceed.
    share = jnp.clip(above / between, 0, 0.999)
    bits = bounds.low + (share * width).astype(bounds.low.dtype)
    return Guess(bits, error * (width / between))


def even_pivots(bounds: Bounds) -> Pivots:
    """Pivots spread evenly between the bounds, as far as a power of 2 allows."""
    return _next_pivots(bounds, Guess(bounds.low, jnp.float32(1)), jnp.array(True))


def pivots_around(bounds: Bounds, guess: Guess) -> Pivots:
    """Pivots one error apart around the guess."""
    return _next_pivots(bounds, guess, jnp.array(False))


def _next_pivots(bounds: Bounds, guess: Guess, evenly: jax.Array) -> Pivots:
    """`even_pivots` where ``evenly``, a boolean scalar, else `pivots_around`."""
    dtype = bounds.low.dtype
    width = bounds.high - bounds.low
    room = jnp.floor(jnp.log2(jnp.maximum(width.astype(jnp.float32) - 2, PIVOTS) / PIVOTS))
    needed = jnp.ceil(jnp.log2(jnp.maximum(guess.error, 1)))
    shift = jnp.where(evenly, room, jnp.minimum(needed, room)).astype(dtype)
    span = jnp.asarray(PIVOTS, dtype) << shift
    center = jnp.where(evenly, bounds.low + (width >> 1), guess.bits)
    highest = jnp.where(width > span + 1, bounds.high - 1 - span, bounds.low)
    # Four sevenths of the span, about, so that the fourth pivot lies at the center.
    half = (span >> 1) + (span >> 4)
    return Pivots(jnp.clip(center - jnp.minimum(half, center), bounds.low, highest), shift)
