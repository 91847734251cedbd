"""Exactly the k highest scores over many arrays, without sorting or concatenating them.

A float's bits, read as an unsigned integer with the sign handled, have the float's order. Behind
them stands the position, earlier ones higher, so that no two keys are equal. The k-th largest key
is found digit by digit from the top: a histogram of one digit over the keys that share the digits
found so far tells in which bin it lies, until all keys that share them belong to the k. Three
digits of 11 bits hold a float32. Only histograms are added up over arrays.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.schedules import kept_counts
from synflow_jax.types import Selection

_DIGIT_BITS = 11
_BINS = 2**_DIGIT_BITS
# Over chunks of this size a scatter into a histogram is 3 times as fast on a CPU as over a whole
# array of millions.
_CHUNK = 1024
# Neighbors smaller than this are ranked as one array, since each array adds a loop to compile.
_SMALL = 2**16


class _Key(NamedTuple):
    """What is ranked: a score's bits, then how early it stands. Or the digits found of both."""

    score: jax.Array
    early: jax.Array


class _Digit(NamedTuple):
    """In which word a digit stands, how far up, and what shifts leave of each word its part above.

    Two shifts each: one by all bits of a word isn't defined.
    """

    in_score: Any
    shift: Any
    above_score: Any
    above_early: Any


def top_k(scores: Sequence[jax.Array], k: jax.Array | int) -> list[jax.Array]:
    """Boolean arrays that are ``True`` at the ``k`` highest of all ``scores``.

    Args:
        scores: floating-point arrays of any shapes, ranked together; fewer than 2**31 scores in
            all. Zeros of both signs are equal, and infinities take part; a NaN's rank is undefined.
        k: how many to keep, int32, between 0 and the number of scores.

    Returns:
        One boolean array for each array of scores; exactly ``k`` elements are ``True``. Of equal
        scores the first are kept: earlier arrays first, then row by row.

    >>> import jax.numpy as jnp
    >>> from synflow_jax.selection import top_k
    >>> top_k([jnp.array([3.0, -1.0]), jnp.array([[2.0, 3.0]])], 2)
    [Array([ True, False], dtype=bool), Array([[False,  True]], dtype=bool)]
    """
    bits = 64 if any(leaf.dtype.itemsize == 8 for leaf in scores) else 32
    k = jnp.asarray(k, jnp.int32)
    threshold = _kth_largest(_packed(scores, bits), k, bits)

    def keep(leaf: jax.Array, offset: int) -> jax.Array:
        key = _keys(leaf.reshape(-1), jnp.arange(leaf.size, dtype=jnp.int32) + offset, bits)
        tie = (key.score == threshold.score) & (key.early >= threshold.early)
        return (((key.score > threshold.score) | tie) & (k > 0)).reshape(leaf.shape)

    offsets = itertools.accumulate((leaf.size for leaf in scores), initial=0)
    return [keep(leaf, offset) for leaf, offset in zip(scores, offsets, strict=False)]


def _packed(scores: Sequence[jax.Array], bits: int) -> list[jax.Array]:
    """The scores in order as one-dimensional arrays, runs of small ones joined."""
    flat = [leaf.reshape(-1).astype(f"float{bits}") for leaf in scores if leaf.size]
    runs = [(s, list(run)) for s, run in itertools.groupby(flat, lambda leaf: leaf.size < _SMALL)]
    return [a for small, run in runs for a in ([jnp.concatenate(run)] if small else run)]


def _keys(x: jax.Array, positions: jax.Array, bits: int) -> _Key:
    """Floats as unsigned integers of ``bits`` bits in the same order, both zeros alike."""
    float_type, int_type, uint_type = (
        (jnp.float64, jnp.int64, jnp.uint64) if bits == 64 else (jnp.float32, jnp.int32, jnp.uint32)
    )
    x = x.astype(float_type)
    signed = lax.bitcast_convert_type(jnp.where(x == 0, jnp.zeros_like(x), x), int_type)
    flips = (signed >> (bits - 1)) | jnp.iinfo(int_type).min
    return _Key(lax.bitcast_convert_type(signed ^ flips, uint_type), ~positions.astype(jnp.uint32))


def _digits(bits: int) -> _Digit:
    """All digits from the top, stacked: those of the score's ``bits`` bits, then of 32."""
    everything, nothing, rest = (0, 0), (16, 16), _DIGIT_BITS
    score = [_Digit(True, s, (s, rest), nothing) for s in _shifts(bits)]
    early = [_Digit(False, s, everything, (s, rest)) for s in _shifts(32)]
    return _Digit(*(jnp.array(column) for column in zip(*score, *early, strict=True)))


def _shifts(bits: int) -> range:
    return range((bits - 1) // _DIGIT_BITS * _DIGIT_BITS, -1, -_DIGIT_BITS)


def _kth_largest(arrays: Sequence[jax.Array], k: jax.Array, bits: int) -> _Key:
    """The lowest of the ``k`` largest keys, or a lower one with no key between."""
    digits = _digits(bits)
    size = sum(array.size for array in arrays)

    def search(state: tuple[jax.Array, _Key, jax.Array, jax.Array]) -> Any:
        index, prefix, rank, _ = state
        digit = _Digit(*(column[index] for column in digits))
        histogram, offset = jnp.zeros(_BINS, jnp.int32), 0
        for array in arrays:
            histogram = _add_histogram(
                histogram, array, offset, prefix=prefix, digit=digit, bits=bits
            )
            offset += array.size
        at_least = jnp.cumsum(histogram[::-1])[::-1]
        bin_ = jnp.sum(at_least >= rank, dtype=jnp.int32) - 1
        sharing = histogram[bin_]
        rank = rank - (at_least[bin_] - sharing)
        found = _Key(
            *(jnp.left_shift(bin_.astype(w.dtype), digit.shift.astype(w.dtype)) for w in prefix)
        )
        prefix = _Key(
            jnp.where(digit.in_score, prefix.score | found.score, prefix.score),
            jnp.where(digit.in_score, prefix.early, prefix.early | found.early),
        )
        return index + 1, prefix, rank, sharing

    def unfinished(state: tuple[jax.Array, _Key, jax.Array, jax.Array]) -> jax.Array:
        index, _, rank, sharing = state
        return (index < len(digits.shift)) & (rank < sharing)

    zero = _Key(jnp.zeros((), jnp.uint64 if bits == 64 else jnp.uint32), jnp.uint32(0))
    return lax.while_loop(unfinished, search, (jnp.int32(0), zero, k, jnp.int32(size)))[1]


def _add_histogram(
    histogram: jax.Array, array: jax.Array, offset: int, *, prefix: _Key, digit: _Digit, bits: int
) -> jax.Array:
    """``histogram`` plus counts of ``digit`` in the keys that share the prefix above it."""
    chunk = min(_CHUNK, array.size)

    def above(word: jax.Array, shifts: jax.Array) -> jax.Array:
        shifts = shifts.astype(word.dtype)
        return (word >> shifts[0]) >> shifts[1]

    def bin_of(word: jax.Array) -> jax.Array:
        return ((word >> digit.shift.astype(word.dtype)) & (_BINS - 1)).astype(jnp.int32)

    def add(i: jax.Array, histogram: jax.Array) -> jax.Array:
        # The last chunk reaches back over elements that were counted already.
        start = jnp.minimum(i * chunk, array.size - chunk)
        positions = start + jnp.arange(chunk, dtype=jnp.int32)
        key = _keys(lax.dynamic_slice(array, (start,), (chunk,)), positions + offset, bits)
        counted = (
            (positions >= i * chunk)
            & (above(key.score ^ prefix.score, digit.above_score) == 0)
            & (above(key.early ^ prefix.early, digit.above_early) == 0)
        )
        bin_ = jnp.where(digit.in_score, bin_of(key.score), bin_of(key.early))
        return histogram.at[jnp.where(counted, bin_, _BINS)].add(1, mode="drop")

    return lax.fori_loop(0, -(-array.size // chunk), add, histogram)


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
