"""Exactly the k highest scores over many arrays, without sorting or concatenating them.

A float's bits, read as an unsigned integer with the sign handled, have the float's order: they are
its key. The k-th largest key is searched for between bounds. A pass over the arrays counts how
many keys are as large as each of seven numbers, which narrows the bounds; the seven are spread
around where the k-th is expected if keys are even between the bounds. A sample tells where to
begin, and the last few keys are collected, if that's possible, and searched alone. Where scores are
equal, the first are kept.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from synflow_jax.arguments import check_whole, shown
from synflow_jax.counting import (
    LANES,
    MOST,
    PIVOTS,
    Pivots,
    alone,
    collected,
    count,
    counts_at_least,
    halves,
    in_lane,
    places,
    row_counts,
)
from synflow_jax.keys import from_key, keys
from synflow_jax.schedules import kept_counts
from synflow_jax.types import Scores, Selection
from synflow_jax.wide import Wide, as_float, at_least, at_most, minus, plus, same, total, wide

# A prime, so that a sample doesn't run along one axis of an array.
_SAMPLE_STRIDE = 251
# Scores from which on the last few are collected, and how few: hardly three in one of the lanes.
_LARGE, _FEW = 2**20, 1000
# Lanes of equal scores that are looked through for the first few, and what stands for no place.
_MOST_LANES, _NO_PLACE = 128, 2**32 - 1
# Flags that are counted together, to find the first few of all.
_ROW = 1024
# Positions in all arrays together are int32.
_MOST_JOINED = 2**31
# Neighbors smaller than this are ranked as one array, since each array adds a loop to compile.
_SMALL = 2**16


class _Bounds(NamedTuple):
    """Keys ``low < high``, and how many keys are as large: ``at_low >= k > at_high``."""

    low: jax.Array
    high: jax.Array
    at_low: Wide
    at_high: Wide


class _Guess(NamedTuple):
    """Where the k-th key is expected, and how far it may be from there, in float32."""

    key: jax.Array
    error: jax.Array


class _Few(NamedTuple):
    """The keys between two bounds by themselves.

    Attributes:
        offsets: `collected`, from the key below the lower bound.
        bounds: the two.
        tried: whether they were looked for.
        complete: whether all of them are here.
    """

    offsets: jax.Array
    bounds: _Bounds
    tried: jax.Array
    complete: jax.Array


def top_k(scores: Sequence[jax.Array], k: jax.Array | Wide | int) -> list[jax.Array]:
    """Boolean arrays that are ``True`` at the ``k`` highest of all ``scores``.

    Args:
        scores: floating-point arrays of any shapes and shardings, ranked together; fewer than
            2**31 each. Zeros of both signs are equal; a NaN's rank is undefined; subnormal numbers
            may count as 0, as they do on CPU.
        k: how many to keep, between 0 and the number of scores; int32, or `Wide` beyond.
            Only what's known when tracing is checked.

    Returns:
        One boolean array for each array of scores; exactly ``k`` elements are ``True``, or as many
        as aren't -inf. Of equal scores the first are kept: earlier arrays first, then row by row.

    Raises:
        ValueError: k is known and out of range.
        TypeError: scores aren't floating-point, or k isn't an integer.

    >>> import jax.numpy as jnp
    >>> from synflow_jax.selection import top_k
    >>> top_k([jnp.array([3.0, -1.0]), jnp.array([[2.0, 3.0]])], 2)
    [Array([ True, False], dtype=bool), Array([[False,  True]], dtype=bool)]
    """
    _check_scores(scores)
    size = sum(leaf.size for leaf in scores)
    _check_k(k, 0, size)
    if not size:
        return [jnp.zeros(leaf.shape, bool) for leaf in scores]
    scores, k = _alike(scores), _wide(k)
    bounds, few = _kth_largest(_joined(scores), k)
    lowest = _lowest(bounds, scores[0].dtype)

    return lax.cond(
        same(bounds.at_low, k),
        lambda: [keys(x) >= lowest for x in scores],
        lambda: _first_of_equal(scores, k, bounds, few),
    )


def _lowest(bounds: _Bounds, dtype: jnp.dtype) -> jax.Array:
    """The lowest key that may be kept: never that of -inf."""
    return jnp.maximum(bounds.low, keys(jnp.array(-jnp.inf, dtype)) + 1)


def kth_highest(scores: Scores, k: jax.Array | Wide | int) -> jax.Array:
    """The ``k``-th highest of all ``scores``, a scalar: exact, and without sorting them.

    Args:
        scores: a pytree of floating-point arrays, ranked together, as for `top_k`: subnormal
            numbers may count as 0.
        k: which one, between 1 and the number of scores; int32, or `Wide` beyond.

    Raises:
        ValueError: k is known and there is no k-th score, or there are no scores.
        TypeError: scores aren't floating-point, or k isn't an integer.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> sf.kth_highest({"a": jnp.array([3.0, -1.0]), "b": jnp.array([[2.0, 5.0]])}, 3)
    Array(2., dtype=float32)
    """
    _check_scores(jax.tree.leaves(scores))
    leaves = _alike(jax.tree.leaves(scores))
    size = sum(leaf.size for leaf in leaves)
    if not size:
        raise ValueError("scores is empty: there is no highest; pass arrays with elements")
    _check_k(k, 1, size)
    return from_key(_kth_largest(_joined(leaves), _wide(k), exactly=True)[0].low)


def _check_scores(scores: Sequence[jax.Array]) -> None:
    for leaf in scores:
        if not hasattr(leaf, "dtype") or not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise TypeError(
                f"scores must be floating-point arrays, got {shown(leaf)}; integers would be "
                "rounded, cast those that a float holds exactly"
            )


def _check_k(k: jax.Array | Wide | int, least: int, size: int) -> None:
    if isinstance(k, Wide):
        return
    if isinstance(k, Tracer):
        if k.shape or not jnp.issubdtype(k.dtype, jnp.integer):
            raise TypeError(f"k must be an integer, got k={shown(k)}; pass int32 of shape ()")
    elif not least <= (count := check_whole("k", k)) <= size:
        raise ValueError(
            f"k must be between {least} and the number of scores, {size:,}; got k={count}"
        )


def _alike(scores: Sequence[jax.Array]) -> list[jax.Array]:
    bits = 64 if any(leaf.dtype.itemsize == 8 for leaf in scores) else 32
    return [leaf.astype(f"float{bits}") for leaf in scores]


def _wide(k: jax.Array | Wide | int) -> Wide:
    return k if isinstance(k, Wide) else wide(jnp.asarray(k, jnp.int32))


def _first_of_equal(
    scores: Sequence[jax.Array], k: Wide, bounds: _Bounds, few: _Few | None
) -> list[jax.Array]:
    """What is above the lower bound, and as many of the first equal to it as are missing to k."""
    missing = minus(k, bounds.at_high)

    def with_first(
        first: Callable[[Sequence[jax.Array], Wide], list[jax.Array]],
    ) -> list[jax.Array]:
        equal = [(keys(x) == bounds.low) & (x > -jnp.inf) for x in scores]
        found = first(equal, missing)
        return [(keys(x) > bounds.low) | each for x, each in zip(scores, found, strict=True)]

    if not alone() or sum(x.size for x in scores) >= _MOST_JOINED:
        return with_first(_first_by_search)
    if few is None:
        return with_first(_first_joined)
    equal_offset = (bounds.low - few.bounds.low + 1).astype(jnp.uint32)
    larger, smaller = halves(few.offsets)
    with_equal = (larger == equal_offset) | (smaller == equal_offset)

    def by_place() -> list[jax.Array]:
        arrays = _joined(scores)
        last = _places_of(bounds.low, arrays, with_equal)[missing.low - 1]
        lowest = _lowest(bounds, scores[0].dtype)
        kept = [
            keys(x) >= jnp.where(place <= last, lowest, bounds.low + 1)
            for x, place in zip(arrays, places(arrays), strict=True)
        ]
        runs = zip(kept, _runs(scores), strict=True)
        return [part for each, run in runs for part in _parted(each, run)]

    known = few.complete & (count(with_equal) <= _MOST_LANES)
    return lax.cond(known, by_place, lambda: with_first(_first_joined))


def _places_of(key: jax.Array, arrays: Sequence[jax.Array], lanes: jax.Array) -> jax.Array:
    """Rising `places` of a key that is once or twice in each flagged lane, of the first lanes."""

    def add(i: jax.Array, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        lanes, found = state
        lane = jnp.argmax(lanes).astype(jnp.uint32)
        equal = keys(in_lane(arrays, lane)) == key
        first, last = jnp.argmax(equal), equal.size - 1 - jnp.argmax(equal[::-1])
        two = jnp.stack([first, last]).astype(jnp.uint32) * LANES + lane
        two = two.at[1].set(jnp.where(last > first, two[1], jnp.uint32(_NO_PLACE)))
        return lanes.at[lane].set(False), found.at[i].set(two)

    none = jnp.full((_MOST_LANES, 2), _NO_PLACE, jnp.uint32)
    some = jnp.minimum(count(lanes), _MOST_LANES)
    return jnp.sort(lax.fori_loop(0, some, add, (lanes, none))[1].reshape(-1))


def _first_joined(flags: Sequence[jax.Array], k: Wide) -> list[jax.Array]:
    """The first ``k`` of all flags, or all if they are fewer."""
    size = sum(each.size for each in flags)
    padding = jnp.zeros(-size % _ROW, bool)
    flat = jnp.concatenate([*(each.reshape(-1) for each in flags), padding])
    rows = flat.reshape(-1, _ROW)
    sums = row_counts(rows)
    behind = jnp.cumsum(sums)
    count = at_most(k, behind[-1])
    row = jnp.sum(behind < count, dtype=jnp.int32)
    missing = count - (behind - sums)[row]
    before = jnp.cumsum(rows[row], dtype=jnp.int32) < missing
    end = jnp.where(count > 0, row * _ROW + jnp.sum(before, dtype=jnp.int32) + 1, 0)
    return _parted(flat & (lax.iota(jnp.int32, flat.size) < end), flags)


def _parted(flat: jax.Array, arrays: Sequence[jax.Array]) -> list[jax.Array]:
    """One array for each of ``arrays``, of its shape, of what's joined in their order."""
    ends = itertools.accumulate(each.size for each in arrays)
    parts = jnp.split(flat, list(ends))
    return [part.reshape(each.shape) for part, each in zip(parts, arrays, strict=False)]


def _first_by_search(flags: Sequence[jax.Array], k: Wide) -> list[jax.Array]:
    """The same for flags of any number and sharding: a search for the last position."""
    counts = [jnp.sum(each, dtype=jnp.int32) for each in flags]
    wanted = []
    for every in counts:
        wanted.append(at_most(k, every))
        k = minus(k, wide(wanted[-1]))
    # In one array at most, some are kept and some aren't.
    divided = [(some > 0) & (some < every) for some, every in zip(wanted, counts, strict=True)]

    def of_divided(numbers: Sequence[jax.Array]) -> Wide:
        return total([jnp.where(d, n, 0) for d, n in zip(divided, numbers, strict=True)])

    early = [
        jnp.where(each & d, (each.size - _positions(each.shape)).astype(jnp.uint32), 0)
        for each, d in zip(flags, divided, strict=True)
    ]
    most = jnp.uint32(max(each.size for each in flags) + 1)
    inside = _Bounds(jnp.uint32(0), most, of_divided(counts), wide(0))
    among = partial(counts_at_least, lambda key: key, early)
    last = _search(among, of_divided(wanted), inside, _pivots_evenly(inside)).low
    return [
        jnp.where(d, early_in >= jnp.maximum(last, 1), each & (n > 0))
        for each, n, d, early_in in zip(flags, wanted, divided, early, strict=True)
    ]


def _positions(shape: Sequence[int]) -> jax.Array:
    """Each element's position, row by row, int32."""
    index = jnp.zeros(shape, jnp.int32)
    for axis in range(len(shape)):
        stride = math.prod(shape[axis + 1 :])
        index += lax.broadcasted_iota(jnp.int32, shape, axis) * stride
    return index


def _joined(scores: Sequence[jax.Array]) -> list[jax.Array]:
    """On one device the scores in order, flat and runs of small ones joined; else as they are."""
    if not alone():
        return list(scores)
    return [jnp.concatenate([each.reshape(-1) for each in run]) for run in _runs(scores)]


def _runs(scores: Sequence[jax.Array]) -> list[list[jax.Array]]:
    runs = []
    for small, some in itertools.groupby(scores, lambda leaf: leaf.size < _SMALL):
        run = list(some)
        runs += [run] if small else [[leaf] for leaf in run]
    return runs


def _counts(arrays: Sequence[jax.Array]) -> Callable[[Pivots], Wide]:
    return partial(counts_at_least, keys, arrays)


def _kth_largest(
    arrays: Sequence[jax.Array], k: Wide, *, exactly: bool = False
) -> tuple[_Bounds, _Few | None]:
    """Bounds with ``at_low == k``, or with the k-th largest key alone between them.

    Only the latter if ``exactly``. And the last few keys, if they may have been collected.
    """
    size, unsigned = sum(array.size for array in arrays), keys(arrays[0][..., :0]).dtype
    counts, everywhere = _counts(arrays), _all_keys(unsigned, size)
    if size < _SMALL or not alone():
        return _search(counts, k, everywhere, _pivots_evenly(everywhere), exactly=exactly), None
    sample = jnp.concatenate([array[::_SAMPLE_STRIDE] for array in arrays])
    share = as_float(k) / size
    error = jnp.sqrt(sample.size * share * (1 - share)) + 1
    in_sample = wide(jnp.clip((share * sample.size).astype(jnp.int32), 1, sample.size))
    all_sampled = _all_keys(unsigned, sample.size)
    first = _pivots_evenly(all_sampled)
    near = _search(_counts([sample]), in_sample, all_sampled, first, enough=2 * error)
    pivots = _pivots(everywhere, _guess(near, in_sample, error), jnp.array(False))
    if size < _LARGE:
        return _search(counts, k, everywhere, pivots, exactly=exactly), None
    return _search_and_collect(arrays, k, everywhere, pivots, exactly=exactly)


def _search_and_collect(
    arrays: Sequence[jax.Array], k: Wide, bounds: _Bounds, pivots: Pivots, *, exactly: bool
) -> tuple[_Bounds, _Few]:
    """`_search` in all arrays until few keys are left, then if possible among those alone."""
    no = jnp.array(False)
    nothing = _Few(jnp.zeros(LANES, jnp.uint32), bounds, no, no)

    def collect(bounds: _Bounds) -> _Few:
        offsets = collected(keys, arrays, bounds.low, bounds.high)
        complete = _in_halves(offsets) == _between(bounds).astype(jnp.int32)
        return _Few(offsets, bounds, jnp.array(True), complete)

    def counts(few: _Few, pivots: Pivots) -> Wide:
        def of_few() -> Wide:
            def to_keys(offsets: jax.Array) -> jax.Array:
                key = few.bounds.low - 1 + offsets.astype(few.bounds.low.dtype)
                return jnp.where(offsets > 0, key, 0)

            return plus(counts_at_least(to_keys, halves(few.offsets), pivots), few.bounds.at_high)

        return lax.cond(few.complete, of_few, lambda: counts_at_least(keys, arrays, pivots))

    def narrow(state: tuple[_Bounds, Pivots, _Few]) -> tuple[_Bounds, Pivots, _Few]:
        bounds, pivots, few = state
        now = ~few.tried & (_between(bounds) <= _FEW) & (bounds.high - bounds.low <= MOST)
        few = lax.cond(now, lambda: collect(bounds), lambda: few)
        return *_narrower(bounds, k, pivots, counts(few, pivots)), few

    bounds, _, few = lax.while_loop(
        lambda state: _unfinished(state[0], k, exactly), narrow, (bounds, pivots, nothing)
    )
    return bounds, few


def _in_halves(two: jax.Array) -> jax.Array:
    return jnp.sum(jnp.stack([count(half > 0) for half in halves(two)]))


def _all_keys(unsigned: jnp.dtype, size: int) -> _Bounds:
    # Room above for the pivots.
    high = jnp.asarray(jnp.iinfo(unsigned).max - 2 * PIVOTS, unsigned)
    return _Bounds(jnp.zeros((), unsigned), high, wide(size), wide(0))


def _search(
    counts: Callable[[Pivots], Wide],
    k: Wide,
    bounds: _Bounds,
    pivots: Pivots,
    *,
    enough: jax.Array | None = None,
    exactly: bool = False,
) -> _Bounds:
    """Narrows ``bounds`` until ``at_low == k``, or one key is between, or ``enough`` few are.

    ``counts(pivots)`` says how many keys are as large as each pivot.
    """

    def unfinished(state: tuple[_Bounds, Pivots]) -> jax.Array:
        going = _unfinished(state[0], k, exactly)
        return going if enough is None else going & (_between(state[0]) > enough)

    def narrow(state: tuple[_Bounds, Pivots]) -> tuple[_Bounds, Pivots]:
        bounds, pivots = state
        return _narrower(bounds, k, pivots, counts(pivots))

    return lax.while_loop(unfinished, narrow, (bounds, pivots))[0]


def _unfinished(bounds: _Bounds, k: Wide, exactly: bool) -> jax.Array:
    going = bounds.high - bounds.low > 1
    return going if exactly else going & ~same(bounds.at_low, k)


def _narrower(before: _Bounds, k: Wide, pivots: Pivots, counts: Wide) -> tuple[_Bounds, Pivots]:
    """Bounds and the next pivots, given how many keys are as large as each pivot."""
    after = _narrowed(before, k, pivots, counts)
    between, above = _between(after), as_float(minus(after.at_low, k))
    # That of a binomial number, and a little for unevenness, the less the fewer of all these are.
    unevenness = jnp.minimum(between / _between(before), 0.004)
    error = jnp.sqrt(above * (1 - above / between)) + unevenness * between + 1
    # Where keys turn out uneven, bounds a quarter as far apart are sure.
    uneven = after.high - after.low > (before.high - before.low) >> 2
    return after, _pivots(after, _guess(after, k, error), uneven)


def _narrowed(bounds: _Bounds, k: Wide, pivots: Pivots, counts: Wide) -> _Bounds:
    """The tightest bounds, given how many keys are as large as each pivot."""
    keys = pivots.all()
    enough = jnp.sum(
        at_least(counts, Wide(*(jnp.broadcast_to(x, PIVOTS) for x in k))), dtype=jnp.int32
    )
    below, above = jnp.maximum(enough - 1, 0), jnp.minimum(enough, PIVOTS - 1)
    higher, lower = enough > 0, (enough < PIVOTS) & (keys[above] < bounds.high)

    def choose(which: jax.Array, index: jax.Array, old: Wide) -> Wide:
        return Wide(*(jnp.where(which, new[index], x) for new, x in zip(counts, old, strict=True)))

    return _Bounds(
        jnp.where(higher, keys[below], bounds.low),
        jnp.where(lower, keys[above], bounds.high),
        choose(higher, below, bounds.at_low),
        choose(lower, above, bounds.at_high),
    )


def _between(bounds: _Bounds) -> jax.Array:
    return as_float(minus(bounds.at_low, bounds.at_high))


def _guess(bounds: _Bounds, k: Wide, error: jax.Array) -> _Guess:
    """Where the k-th key is if keys are even between the bounds, by chance ``error`` keys off."""
    between, above = _between(bounds), as_float(minus(bounds.at_low, k))
    width = (bounds.high - bounds.low).astype(jnp.float32)
    share = jnp.clip(above / between, 0, 0.999)
    key = bounds.low + (share * width).astype(bounds.low.dtype)
    return _Guess(key, error * (width / between))


def _pivots_evenly(bounds: _Bounds) -> Pivots:
    return _pivots(bounds, _Guess(bounds.low, jnp.float32(1)), jnp.array(True))


def _pivots(bounds: _Bounds, guess: _Guess, evenly: jax.Array) -> Pivots:
    """Seven pivots between the bounds.

    They lie one error apart around the guess, or if ``evenly`` as far apart as there is room.
    """
    unsigned = bounds.low.dtype
    width = bounds.high - bounds.low
    room = jnp.floor(jnp.log2(jnp.maximum(width.astype(jnp.float32) - 2, PIVOTS) / PIVOTS))
    needed = jnp.ceil(jnp.log2(jnp.maximum(guess.error, 1)))
    shift = jnp.where(evenly, room, jnp.minimum(needed, room)).astype(unsigned)
    span = jnp.asarray(PIVOTS, unsigned) << shift
    center = jnp.where(evenly, bounds.low + (width >> 1), guess.key)
    highest = jnp.where(width > span + 1, bounds.high - 1 - span, bounds.low)
    half = (span >> 1) + (span >> 4)
    return Pivots(jnp.clip(center - jnp.minimum(half, center), bounds.low, highest), shift)


global_top_k = Selection(
    counts=lambda sizes, densities: kept_counts(sum(sizes), densities)[:, None],
    keep=lambda scores, row: top_k(scores, jax.tree.map(lambda word: word[0], row)),
)
"""Keeps the highest scores of the whole network."""

local_top_k = Selection(
    counts=lambda sizes, densities: np.stack([kept_counts(n, densities) for n in sizes], axis=1),
    keep=lambda scores, row: [top_k([leaf], k)[0] for leaf, k in zip(scores, row, strict=True)],
)
"""Keeps the highest scores of each layer, all layers at the same density."""
