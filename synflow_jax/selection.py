"""Exactly the k highest scores over many arrays, without sorting or concatenating them.

A float's bits, read as an unsigned integer with the sign handled, have the float's order: they are
its key. The k-th largest key is searched for between bounds. A pass over the arrays counts how
many keys are as large as each of eight numbers, which narrows the bounds; the eight are spread
around where the k-th is expected if keys are even between the bounds. A sample tells where to
begin. Where scores are equal, the last position to be kept is searched for in the same way.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.counting import PIVOTS, Keys, Pivots, alone, counts_at_least, positions
from synflow_jax.schedules import kept_counts
from synflow_jax.types import Selection

# A prime, so that a sample doesn't run along one axis of an array.
_SAMPLE_STRIDE = 509
# Neighbors smaller than this are ranked as one array, since each array adds a loop to compile.
_SMALL = 2**16


class _Bounds(NamedTuple):
    """Keys ``low < high``, and how many keys are as large: ``at_low >= k > at_high``."""

    low: jax.Array
    high: jax.Array
    at_low: jax.Array
    at_high: jax.Array


class _Guess(NamedTuple):
    """Where the k-th key is expected, and how far it may be from there, in float32."""

    key: jax.Array
    error: jax.Array


def top_k(scores: Sequence[jax.Array], k: jax.Array | int) -> list[jax.Array]:
    """Boolean arrays that are ``True`` at the ``k`` highest of all ``scores``.

    Args:
        scores: floating-point arrays of any shapes, ranked together; fewer than 2**31 scores in
            all. Zeros of both signs are equal; a NaN's rank is undefined.
        k: how many to keep, int32, between 0 and the number of scores.

    Returns:
        One boolean array for each array of scores; exactly ``k`` elements are ``True``, or as many
        as aren't -inf. Of equal scores the first are kept: earlier arrays first, then row by row.

    >>> import jax.numpy as jnp
    >>> from synflow_jax.selection import top_k
    >>> top_k([jnp.array([3.0, -1.0]), jnp.array([[2.0, 3.0]])], 2)
    [Array([ True, False], dtype=bool), Array([[False,  True]], dtype=bool)]
    """
    size = sum(leaf.size for leaf in scores)
    if not size:
        return [jnp.zeros(leaf.shape, bool) for leaf in scores]
    k = jnp.asarray(k, jnp.int32)
    bits = 64 if any(leaf.dtype.itemsize == 8 for leaf in scores) else 32
    scores = [leaf.astype(f"float{bits}") for leaf in scores]
    arrays = _joined(scores) if alone() else [leaf for leaf in scores if leaf.size]
    bounds = _kth_largest(arrays, k)
    lowest = _key(jnp.array(-jnp.inf, arrays[0].dtype)) + 1

    return lax.cond(
        bounds.at_low == k,
        lambda: [_key(x) >= jnp.maximum(bounds.low, lowest) for x in scores],
        lambda: _first_of_equal(scores, arrays, k, bounds),
    )


def _first_of_equal(
    scores: Sequence[jax.Array], arrays: Sequence[jax.Array], k: jax.Array, bounds: _Bounds
) -> list[jax.Array]:
    """What is above the lower bound, and as many of the first equal to it as are missing to k."""
    size = sum(array.size for array in arrays)

    def earliness(x: jax.Array, position: jax.Array) -> jax.Array:
        return jnp.where(_key(x) == bounds.low, (size - position).astype(jnp.uint32), 0)

    equal = bounds.at_low - bounds.at_high
    everywhere = _Bounds(jnp.uint32(0), jnp.uint32(size + 1), equal, jnp.int32(0))
    last = _search(earliness, arrays, k - bounds.at_high, everywhere).low
    return [
        (_key(x) > bounds.low) | ((earliness(x, at) >= last) & (x > -jnp.inf))
        for x, at in zip(scores, positions(scores), strict=True)
    ]


def _joined(scores: Sequence[jax.Array]) -> list[jax.Array]:
    """The scores in order as one-dimensional arrays, runs of small ones joined."""
    flat = [leaf.reshape(-1) for leaf in scores if leaf.size]
    runs = [(s, list(run)) for s, run in itertools.groupby(flat, lambda leaf: leaf.size < _SMALL)]
    return [a for small, run in runs for a in ([jnp.concatenate(run)] if small else run)]


def _key(x: jax.Array, position: jax.Array | None = None) -> jax.Array:
    """Floats as unsigned integers of as many bits in the same order, both zeros alike."""
    del position
    bits = x.dtype.itemsize * 8
    signed = lax.bitcast_convert_type(jnp.where(x == 0, jnp.zeros_like(x), x), f"int{bits}")
    flips = (signed >> (bits - 1)) | jnp.iinfo(signed.dtype).min
    return lax.bitcast_convert_type(signed ^ flips, f"uint{bits}")


def _kth_largest(arrays: Sequence[jax.Array], k: jax.Array) -> _Bounds:
    """Bounds with ``at_low == k``, or with the k-th largest key alone between them."""
    size = sum(array.size for array in arrays)
    if size < _SMALL or not alone():
        return _search(_key, arrays, k, _all_keys(arrays, size))
    sample = jnp.concatenate([array[::_SAMPLE_STRIDE] for array in arrays])
    share = k.astype(jnp.float32) / size
    error = jnp.sqrt(sample.size * share * (1 - share)) + 1
    in_sample = jnp.clip((share * sample.size).astype(jnp.int32), 1, sample.size)
    near = _search(_key, [sample], in_sample, _all_keys([sample], sample.size), enough=2 * error)
    return _search(_key, arrays, k, _all_keys(arrays, size), first=_guess(near, in_sample, error))


def _all_keys(arrays: Sequence[jax.Array], size: int) -> _Bounds:
    unsigned = _key(arrays[0][..., :0]).dtype
    # Room above for the pivots.
    high = jnp.asarray(jnp.iinfo(unsigned).max - 2 * PIVOTS, unsigned)
    return _Bounds(jnp.zeros((), unsigned), high, jnp.int32(size), jnp.int32(0))


def _search(
    keys: Keys,
    arrays: Sequence[jax.Array],
    k: jax.Array,
    bounds: _Bounds,
    *,
    first: _Guess | None = None,
    enough: jax.Array | None = None,
) -> _Bounds:
    """Narrows ``bounds`` until ``at_low == k``, or one key is between, or ``enough`` few are."""

    def unfinished(state: tuple[_Bounds, Pivots]) -> jax.Array:
        bounds, _ = state
        between = (bounds.at_low - bounds.at_high).astype(jnp.float32)
        going = (bounds.at_low != k) & (bounds.high - bounds.low > 1)
        return going if enough is None else going & (between > enough)

    def narrow(state: tuple[_Bounds, Pivots]) -> tuple[_Bounds, Pivots]:
        before, pivots = state
        after = _narrowed(before, k, pivots, counts_at_least(keys, arrays, pivots))
        # Where keys turn out uneven, bounds a quarter as far apart are sure.
        uneven = after.high - after.low > (before.high - before.low) >> 2
        return after, _pivots(after, _guess(after, k), uneven)

    if first is None:
        start = _pivots(bounds, _guess(bounds, k), jnp.array(True))
    else:
        start = _pivots(bounds, first, jnp.array(False))
    return lax.while_loop(unfinished, narrow, (bounds, start))[0]


def _narrowed(bounds: _Bounds, k: jax.Array, pivots: Pivots, counts: jax.Array) -> _Bounds:
    """The tightest bounds, given how many keys are as large as each pivot."""
    keys = pivots.all()
    enough = jnp.sum(counts >= k, dtype=jnp.int32)
    below, above = jnp.maximum(enough - 1, 0), jnp.minimum(enough, PIVOTS - 1)
    higher, lower = enough > 0, (enough < PIVOTS) & (keys[above] < bounds.high)
    return _Bounds(
        jnp.where(higher, keys[below], bounds.low),
        jnp.where(lower, keys[above], bounds.high),
        jnp.where(higher, counts[below], bounds.at_low),
        jnp.where(lower, counts[above], bounds.at_high),
    )


def _guess(bounds: _Bounds, k: jax.Array, error: jax.Array | None = None) -> _Guess:
    """Where the k-th key is if keys are even between the bounds, by chance ``error`` keys off."""
    between = (bounds.at_low - bounds.at_high).astype(jnp.float32)
    above = (bounds.at_low - k).astype(jnp.float32)
    if error is None:
        # That of a binomial number, and a little for unevenness.
        error = jnp.sqrt(above * (1 - above / between)) + 0.01 * between + 1
    width = (bounds.high - bounds.low).astype(jnp.float32)
    share = jnp.clip(above / between, 0, 0.999)
    key = bounds.low + (share * width).astype(bounds.low.dtype)
    return _Guess(key, error * (width / between))


def _pivots(bounds: _Bounds, guess: _Guess, evenly: jax.Array) -> Pivots:
    """The first of eight pivots between the bounds, and log2 of their distance.

    They lie one error apart around the guess, or if ``evenly`` as far apart as there is room.
    """
    unsigned = bounds.low.dtype
    width = bounds.high - bounds.low
    gaps = PIVOTS - 1
    room = jnp.floor(jnp.log2(jnp.maximum(width.astype(jnp.float32) - 2, gaps) / gaps))
    needed = jnp.ceil(jnp.log2(jnp.maximum(guess.error, 1)))
    shift = jnp.where(evenly, room, jnp.minimum(needed, room)).astype(unsigned)
    span = jnp.asarray(gaps, unsigned) << shift
    center = jnp.where(evenly, bounds.low + (width >> 1), guess.key)
    highest = jnp.where(width > span + 1, bounds.high - 1 - span, bounds.low + 1)
    base = center - jnp.minimum(span >> 1, center)
    return Pivots(jnp.clip(base, bounds.low + 1, highest), shift)


global_top_k = Selection(
    counts=lambda sizes, densities: kept_counts(sum(sizes), densities)[:, None],
    keep=lambda scores, row: top_k(scores, row[0]),
)
"""Keeps the highest scores of the whole network."""

local_top_k = Selection(
    counts=lambda sizes, densities: np.stack([kept_counts(n, densities) for n in sizes], axis=1),
    keep=lambda scores, row: [top_k([leaf], k)[0] for leaf, k in zip(scores, row, strict=True)],
)
"""Keeps the highest scores of each layer, all layers at the same density."""
