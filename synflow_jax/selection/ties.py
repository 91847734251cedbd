"""Of numbers that are equal to the k-th largest, the first ones: as many as are missing to k."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.selection.counting import counts_at_least
from synflow_jax.selection.joining import split_like
from synflow_jax.selection.kth import Few
from synflow_jax.selection.lanes import LANES, halves, in_lane, padded_positions
from synflow_jax.selection.ordered_bits import ordered_bits
from synflow_jax.selection.reductions import count, in_rows, one_device, row_counts
from synflow_jax.selection.search import Bounds, even_pivots, search
from synflow_jax.selection.two_words import TwoWordCount, minus, smaller_of, sum_of, two_words

# Lanes with equal numbers that are looked through one by one, 0.07 ms each in 14.8 million. Three
# to five are usual there, 30 to 47 in 144 million.
_MOST_LANES = 128
# A padded position that stands for none; none is as high.
_NO_POSITION = 2**32 - 1
# Flags in a row, and counts in one. Rows are counted first, to find the one that has the last flag
# kept.
_ROW = 256
# Numbers. From so many on int32 can't hold a position among all of them.
_MOST_JOINED = 2**31

First = Callable[[Sequence[jax.Array], TwoWordCount], list[jax.Array]]
"""``first(flags, n)``: the flags, but only the first ``n`` of all of them, or all if fewer."""


def lowest_kept(bounds: Bounds, dtype: jnp.dtype) -> jax.Array:
    """The lowest order-preserving bits that may be kept: never those of -inf."""
    return jnp.maximum(bounds.low, ordered_bits(jnp.array(-jnp.inf, dtype)) + 1)


def first_of_equal(
    scores: Sequence[jax.Array], k: TwoWordCount, bounds: Bounds, few: Few | None
) -> list[jax.Array]:
    """Keeps what is above the lower bound, and the first that equal it, ``k`` together.

    Args:
        scores: what `joined` made of floating-point arrays of one type.
        k: how many to keep, at most ``bounds.at_low``.
        bounds: the k-th largest and the next larger bits, from `kth_largest`.
        few: the last few numbers, if `kth_largest` returned them.

    Returns:
        A boolean array for each array of scores, of its shape.
    """
    missing = minus(k, bounds.at_high)
    if not one_device() or sum(x.size for x in scores) >= _MOST_JOINED:
        return _with_first(_first_by_search, scores, bounds, missing)
    by_rows = partial(_with_first, _first_by_rows, scores, bounds, missing)
    if few is None:
        return by_rows()
    equal_offset = (bounds.low - few.bounds.low + 1).astype(jnp.uint32)
    larger, smaller = halves(few.offsets)
    lanes = (larger == equal_offset) | (smaller == equal_offset)
    known = few.complete & (count(lanes) <= _MOST_LANES)
    return lax.cond(known, partial(_with_first_in, lanes, scores, bounds, missing), by_rows)


def _with_first(
    first: First, scores: Sequence[jax.Array], bounds: Bounds, missing: TwoWordCount
) -> list[jax.Array]:
    is_equal = [(ordered_bits(x) == bounds.low) & (x > -jnp.inf) for x in scores]
    found = first(is_equal, missing)
    pairs = zip(scores, found, strict=True)
    return [(ordered_bits(x) > bounds.low) | each for x, each in pairs]


def _with_first_in(
    lanes: jax.Array, arrays: Sequence[jax.Array], bounds: Bounds, missing: TwoWordCount
) -> list[jax.Array]:
    """What `_with_first` returns, where at most 128 lanes are known to hold the equal numbers."""
    last = _positions_of(bounds.low, arrays, lanes)[missing.low - 1]
    lowest = lowest_kept(bounds, arrays[0].dtype)
    return [
        ordered_bits(x) >= jnp.where(position <= last, lowest, bounds.low + 1)
        for x, position in zip(arrays, padded_positions(arrays), strict=True)
    ]


def _positions_of(bits: jax.Array, arrays: Sequence[jax.Array], lanes: jax.Array) -> jax.Array:
    """`padded_positions` of the numbers with these bits, sorted.

    Args:
        bits: a scalar, uint32 or uint64.
        arrays: flat.
        lanes: where to look: boolean of shape ``(LANES,)``. Each of these lanes has one or two
            such numbers; only the first 128 lanes are looked through.

    Returns:
        uint32 of shape ``(256,)``, `_NO_POSITION` at the end.
    """

    def add(i: jax.Array, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        lanes, found = state
        lane = jnp.argmax(lanes).astype(jnp.uint32)
        is_equal = ordered_bits(in_lane(arrays, lane)) == bits
        first, last = jnp.argmax(is_equal), is_equal.size - 1 - jnp.argmax(is_equal[::-1])
        two = jnp.stack([first, last]).astype(jnp.uint32) * LANES + lane
        two = two.at[1].set(jnp.where(last > first, two[1], jnp.uint32(_NO_POSITION)))
        return lanes.at[lane].set(False), found.at[i].set(two)

    none = jnp.full((_MOST_LANES, 2), _NO_POSITION, jnp.uint32)
    some = jnp.minimum(count(lanes), _MOST_LANES)
    return jnp.sort(lax.fori_loop(0, some, add, (lanes, none))[1].reshape(-1))


def _first_by_rows(flags: Sequence[jax.Array], n: TwoWordCount) -> list[jax.Array]:
    """`First` on one device, fewer than 2**31 flags: joined to rows, and those counted."""
    flat = jnp.concatenate([each.reshape(-1) for each in flags])
    return split_like(flat & (lax.iota(jnp.int32, flat.size) < _end_of_first(flat, n)), flags)


def _end_of_first(flags: jax.Array, n: TwoWordCount) -> jax.Array:
    """Behind which position ``n`` flags have come, or all if they are fewer; int32.

    Rows of flags are counted, rows of these counts added up, and so on. From the top down one row
    of each level is looked through then.
    """
    rows = [in_rows(flags, _ROW)]
    sums = row_counts(rows[0])
    while sums.size > _ROW:
        rows.append(in_rows(sums, _ROW))
        sums = jnp.sum(rows[-1], axis=1, dtype=jnp.int32)
    rows.append(in_rows(sums, _ROW))
    place, missing = jnp.int32(0), smaller_of(n, jnp.sum(sums, dtype=jnp.int32))
    none = missing == 0
    earlier = np.tri(_ROW, k=-1, dtype=bool)
    for level in reversed(rows):
        row = level[place].astype(jnp.int32)
        before = jnp.sum(jnp.where(earlier, row, 0), axis=1, dtype=jnp.int32)
        index = jnp.sum(before < missing, dtype=jnp.int32) - 1
        place, missing = place * _ROW + index, missing - before[index]
    return jnp.where(none, 0, place + 1)


def _first_by_search(flags: Sequence[jax.Array], n: TwoWordCount) -> list[jax.Array]:
    """`First` for any number of flags and any sharding: a search for the last one's position."""
    flagged = [jnp.sum(each, dtype=jnp.int32) for each in flags]
    wanted = []
    for every in flagged:
        wanted.append(smaller_of(n, every))
        n = minus(n, two_words(wanted[-1]))
    # In one array at most, some are kept and some aren't.
    divided = [(some > 0) & (some < every) for some, every in zip(wanted, flagged, strict=True)]

    def of_divided(numbers: Sequence[jax.Array]) -> TwoWordCount:
        return sum_of([jnp.where(d, x, 0) for d, x in zip(divided, numbers, strict=True)])

    # The larger, the earlier; 0 where there is no flag.
    early = [
        jnp.where(each & d, (each.size - positions_in(each.shape)).astype(jnp.uint32), 0)
        for each, d in zip(flags, divided, strict=True)
    ]
    most = jnp.uint32(max(each.size for each in flags) + 1)
    inside = Bounds(jnp.uint32(0), most, of_divided(flagged), two_words(0))
    counts = partial(counts_at_least, lambda bits: bits, early)
    last = search(counts, of_divided(wanted), inside, even_pivots(inside)).low
    return [
        jnp.where(d, early_in >= jnp.maximum(last, 1), each & (some > 0))
        for each, some, d, early_in in zip(flags, wanted, divided, early, strict=True)
    ]


def positions_in(shape: Sequence[int]) -> jax.Array:
    """Each element's position, row by row, int32."""
    index = jnp.zeros(shape, jnp.int32)
    for axis in range(len(shape)):
        stride = math.prod(shape[axis + 1 :])
        index += lax.broadcasted_iota(jnp.int32, shape, axis) * stride
    return index
