"""Of numbers that are equal to the k-th largest, the first ones: as many as are missing to k."""

import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.selection.counting import counts_at_least
from synflow_jax.selection.kth import Few
from synflow_jax.selection.lanes import LANES, halves, in_lane, padded_starts
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
# Numbers, each array padded. From so many on int32 can't hold a position among all of them.
_MOST_JOINED = 2**31


def ends_of_first(
    scores: Sequence[jax.Array], k: TwoWordCount, bounds: Bounds, few: Few | None
) -> jax.Array:
    """Behind which position of each array no number is kept any more that equals the k-th largest.

    Args:
        scores: what `joined` made of floating-point arrays of one type.
        k: how many to keep, at most ``bounds.at_low``.
        bounds: the k-th largest and the next larger bits, from `kth_largest`.
        few: the last few numbers, if `kth_largest` returned them.

    Returns:
        int32 of shape ``(arrays,)``: of the numbers that equal the k-th, those before these
        positions are as many as are missing, or all.
    """
    missing = minus(k, bounds.at_high)
    if not one_device() or sum(x.size + LANES for x in scores) >= _MOST_JOINED:
        return _ends_by_search([ordered_bits(x) == bounds.low for x in scores], missing)
    by_rows = partial(_ends_by_rows, scores, bounds, missing)
    if few is None:
        return by_rows()
    equal_offset = (bounds.low - few.bounds.low + 1).astype(jnp.uint32)
    larger, smaller = halves(few.offsets)
    lanes = (larger == equal_offset) | (smaller == equal_offset)
    known = few.complete & (count(lanes) <= _MOST_LANES)
    return lax.cond(known, partial(_ends_in, lanes, scores, bounds, missing), by_rows)


def _ends_in(
    lanes: jax.Array, arrays: Sequence[jax.Array], bounds: Bounds, missing: TwoWordCount
) -> jax.Array:
    """`ends_of_first` where at most 128 lanes are known to hold the equal numbers."""
    last = _positions_of(bounds.low, arrays, lanes)[missing.low - 1]
    return last.astype(jnp.int32) + 1 - padded_starts(arrays)


def _positions_of(bits: jax.Array, arrays: Sequence[jax.Array], lanes: jax.Array) -> jax.Array:
    """Where the numbers with these bits stand, counted as by `padded_starts`, sorted.

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


def _ends_by_rows(scores: Sequence[jax.Array], bounds: Bounds, missing: TwoWordCount) -> jax.Array:
    """`ends_of_first` on one device, below 2**31 numbers: flags joined to rows, and counted."""
    flags = jnp.concatenate([(ordered_bits(x) == bounds.low).reshape(-1) for x in scores])
    starts = np.cumsum([0, *(x.size for x in scores[:-1])])
    return _end_of_first(flags, missing) - starts.astype(np.int32)


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


def _ends_by_search(flags: Sequence[jax.Array], n: TwoWordCount) -> jax.Array:
    """`ends_of_first` for any number of flags and any sharding: a search for the last position."""
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
    behind = 1 - jnp.maximum(last, 1).astype(jnp.int32)
    ends = [
        jnp.where(some > 0, each.size + jnp.where(d, behind, 0), 0)
        for each, some, d in zip(flags, wanted, divided, strict=True)
    ]
    return jnp.stack(ends)


def positions_in(shape: Sequence[int]) -> jax.Array:
    """Each element's position, row by row, int32."""
    index = jnp.zeros(shape, jnp.int32)
    for axis in range(len(shape)):
        stride = math.prod(shape[axis + 1 :])
        index += lax.broadcasted_iota(jnp.int32, shape, axis) * stride
    return index
