"""The k-th largest of many numbers: a sample tells where to search, the last few are collected."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.selection.counting import Pivots, counts_at_least
from synflow_jax.selection.lanes import LANES, MOST_OFFSET, collected, halves
from synflow_jax.selection.ordered_bits import ordered_bits
from synflow_jax.selection.reductions import count, one_device
from synflow_jax.selection.search import (
    Bounds,
    Guess,
    even_pivots,
    interpolated,
    narrower,
    number_between,
    pivots_around,
    search,
    unfinished,
    whole_range,
)
from synflow_jax.selection.two_words import TwoWordCount, as_float, plus, two_words

# Numbers. From so many on a sample pays.
_SAMPLED = 2**16
# Every so many numbers are sampled: a prime, so that a sample doesn't run along one axis of an
# array. Every 509th led to a pass more at 144 million, every 127th was no faster.
_SAMPLE_STRIDE = 251
# Numbers of a sample that are sorted, which is compiled in a sixth of a search's time: 1,079 take
# 0.1 ms, as long as a search, and 4,178 take 0.5.
_SORTED = 2**11
# Numbers. From so many on the last few are collected; below they are searched among all.
_LARGE = 2**20
# Numbers between the bounds that are few enough to collect: two in a lane have room, and three
# share one with a probability of 0.04. It takes 1.5 ms of 14.8 million and saves two passes of 2.
_FEW = 1000


class Few(NamedTuple):
    """The numbers between two bounds by themselves.

    Attributes:
        offsets: what `collected` returned, uint32 of shape ``(LANES,)``.
        bounds: between which they were collected.
        tried: whether they were collected at all, a boolean scalar.
        complete: whether all of them are here, a boolean scalar.
    """

    offsets: jax.Array
    bounds: Bounds
    tried: jax.Array
    complete: jax.Array


def kth_largest(
    arrays: Sequence[jax.Array], k: TwoWordCount, *, exactly: bool = False
) -> tuple[Bounds, Few | None]:
    """Bounds, in order-preserving bits, that separate the ``k`` largest from the others.

    Args:
        arrays: floating-point of one type, flat on one device.
        k: at most the number of elements.
        exactly: whether the lower bound has to be the k-th largest itself.

    Returns:
        What `search` returns, and the last few numbers if they may have been collected.
    """
    size = sum(array.size for array in arrays)
    everywhere = whole_range(jax.eval_shape(ordered_bits, arrays[0]).dtype, size)
    counts = partial(counts_at_least, ordered_bits, arrays)
    if size < _SAMPLED or not one_device():
        return search(counts, k, everywhere, even_pivots(everywhere), exactly=exactly), None
    pivots = _sampled_pivots(arrays, k, everywhere)
    if size < _LARGE:
        return search(counts, k, everywhere, pivots, exactly=exactly), None
    return _search_and_collect(arrays, k, everywhere, pivots, exactly=exactly)


def _sampled_pivots(arrays: Sequence[jax.Array], k: TwoWordCount, everywhere: Bounds) -> Pivots:
    """The first pivots: around the number of the same rank in a sample."""
    size = sum(array.size for array in arrays)
    sample = jnp.concatenate([array[::_SAMPLE_STRIDE] for array in arrays])
    share = as_float(k) / float(size)
    error = jnp.sqrt(sample.size * share * (1 - share)) + 1
    rank = jnp.clip((share * sample.size).astype(jnp.int32), 1, sample.size)
    if sample.size <= _SORTED:
        return pivots_around(everywhere, _ranked(sample, rank, error))
    in_sample = two_words(rank)
    all_sampled = whole_range(everywhere.low.dtype, sample.size)
    first = even_pivots(all_sampled)
    counts = partial(counts_at_least, ordered_bits, [sample])
    near = search(counts, in_sample, all_sampled, first, enough=2 * error)
    return pivots_around(everywhere, interpolated(near, in_sample, error))


def _ranked(sample: jax.Array, rank: jax.Array, error: jax.Array) -> Guess:
    """The number of a rank among a few, from 1 for the largest, by sorting them."""
    rising = jnp.sort(ordered_bits(sample))
    steps = jnp.round(error).astype(jnp.int32) * np.array([-1, 0, 1], np.int32)
    # What is pruned already, with scores of -inf, is far from all others.
    pruned = count(sample == -jnp.inf)
    near = rising[jnp.clip(sample.size - rank + steps, pruned, sample.size - 1)]
    return Guess(near[1], (near[2] - near[0]).astype(jnp.float32) / 2)


def _search_and_collect(
    arrays: Sequence[jax.Array], k: TwoWordCount, bounds: Bounds, pivots: Pivots, *, exactly: bool
) -> tuple[Bounds, Few]:
    """`search` among all numbers until few are left, then if possible among those alone."""
    no = jnp.array(False)
    nothing = Few(jnp.zeros(LANES, jnp.uint32), bounds, no, no)

    def narrow(state: tuple[Bounds, Pivots, Few]) -> tuple[Bounds, Pivots, Few]:
        bounds, pivots, few = state
        now = ~few.tried & (number_between(bounds) <= _FEW)
        now &= bounds.high - bounds.low <= MOST_OFFSET
        few = lax.cond(now, lambda: _collect(arrays, bounds), lambda: few)
        counts = lax.cond(
            few.complete,
            lambda: _counts_of_few(few, pivots),
            lambda: counts_at_least(ordered_bits, arrays, pivots),
        )
        return *narrower(bounds, k, pivots, counts), few

    bounds, _, few = lax.while_loop(
        lambda state: unfinished(state[0], k, exactly), narrow, (bounds, pivots, nothing)
    )
    return bounds, few


def _collect(arrays: Sequence[jax.Array], bounds: Bounds) -> Few:
    offsets = collected(ordered_bits, arrays, bounds.low, bounds.high)
    found = jnp.sum(jnp.stack([count(half > 0) for half in halves(offsets)]))
    complete = found == number_between(bounds).astype(jnp.int32)
    return Few(offsets, bounds, jnp.array(True), complete)


def _counts_of_few(few: Few, pivots: Pivots) -> TwoWordCount:
    """What `counts_at_least` says of all numbers, where no pivot is outside of the few's bounds."""
    base, shift = pivots.base - few.bounds.low + 1, pivots.shift
    offsets = Pivots(base.astype(jnp.uint32), shift.astype(jnp.uint32))
    return plus(counts_at_least(_same, halves(few.offsets), offsets), few.bounds.at_high)


def _same(offsets: jax.Array) -> jax.Array:
    return offsets
