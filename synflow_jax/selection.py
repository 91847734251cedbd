"""Exactly the k highest scores over many arrays, without sorting or concatenating them.

A float's bits, read as an unsigned integer with the sign handled, have the float's order. The
k-th largest such integer is found digit by digit from the top: a histogram of one digit over the
elements that share the digits found so far tells in which bin it lies. Three digits of at most
11 bits read float32 scores three times. Only histograms are added up over arrays.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.schedules import kept_counts
from synflow_jax.types import Selection

_DIGIT_BITS = 11
# Over chunks of this size a scatter into a histogram is 3 times as fast on a CPU as over a whole
# array of millions.
_CHUNK = 1024

# The unsigned integers to rank, from a chunk of an array and the chunk's positions in it.
_KeyFn = Callable[[jax.Array, jax.Array], jax.Array]


def top_k(scores: Sequence[jax.Array], k: jax.Array | int) -> list[jax.Array]:
    """Boolean arrays that are ``True`` at the ``k`` highest of all ``scores``.

    Args:
        scores: floating-point arrays of any shapes, ranked together; fewer than 2**31 scores in
            all. Zeros of both signs are equal, and infinities take part; a NaN's rank is undefined.
        k: how many to keep, int32, between 0 and the number of scores.

    Returns:
        One boolean array for each array of scores; exactly ``k`` elements are ``True``. Of equal
        scores the first are kept: earlier arrays first, then row by row.

    >>> top_k([jnp.array([3.0, -1.0]), jnp.array([[2.0, 3.0]])], 2)
    [Array([ True, False], dtype=bool), Array([[False,  True]], dtype=bool)]
    """
    flat = [leaf.reshape(-1) for leaf in scores]
    offsets = np.cumsum([0] + [leaf.size for leaf in flat])
    bits = 64 if any(leaf.dtype.itemsize == 8 for leaf in flat) else 32

    def score_key(chunk: jax.Array, positions: jax.Array) -> jax.Array:
        del positions
        return _ordered(chunk, bits)

    threshold, ties_kept, ties = _kth_largest(flat, [score_key] * len(flat), k, bits)

    def earliness(offset: int, positions: jax.Array) -> jax.Array:
        return ~(positions.astype(jnp.uint32) + jnp.uint32(offset))

    def tie_key(offset: int) -> _KeyFn:
        return lambda chunk, positions: jnp.where(
            _ordered(chunk, bits) == threshold, earliness(offset, positions), jnp.uint32(0)
        )

    first_ties = lax.cond(
        ties_kept < ties,
        lambda: _kth_largest(flat, [tie_key(offset) for offset in offsets[:-1]], ties_kept, 32)[0],
        lambda: jnp.uint32(0),
    )

    def keep(leaf: jax.Array, offset: int) -> jax.Array:
        key = _ordered(leaf, bits)
        early = earliness(offset, jnp.arange(leaf.size, dtype=jnp.int32)) >= first_ties
        return (key > threshold) | ((key == threshold) & early)

    return [
        keep(leaf, offset).reshape(original.shape)
        for leaf, offset, original in zip(flat, offsets[:-1], scores, strict=True)
    ]


def _ordered(x: jax.Array, bits: int) -> jax.Array:
    """Floats as unsigned integers of ``bits`` bits in the same order; both zeros alike."""
    float_type, int_type, uint_type = {
        32: (jnp.float32, jnp.int32, jnp.uint32),
        64: (jnp.float64, jnp.int64, jnp.uint64),
    }[bits]
    signed = lax.bitcast_convert_type(x.astype(float_type) + 0, int_type)
    flips = (signed >> (bits - 1)) | jnp.iinfo(int_type).min
    return lax.bitcast_convert_type(signed ^ flips, uint_type)


def _kth_largest(
    arrays: Sequence[jax.Array], key_fns: Sequence[_KeyFn], k: jax.Array | int, bits: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The ``k``-th largest key, how many of those equal to it belong to the ``k``, and how many
    are equal to it."""
    uint_type = jnp.uint64 if bits == 64 else jnp.uint32
    rank, prefix, equal = jnp.asarray(k, jnp.int32), uint_type(0), jnp.int32(0)
    shift = bits
    while shift:
        digit = min(_DIGIT_BITS, shift)
        shift -= digit
        histogram = sum(
            (
                _histogram(array, key_fn, prefix, shift, digit, whole=shift + digit == bits)
                for array, key_fn in zip(arrays, key_fns, strict=True)
            ),
            start=jnp.zeros(2**digit, jnp.int32),
        )
        at_least = jnp.cumsum(histogram[::-1])[::-1]
        bin_ = jnp.sum(at_least >= rank, dtype=jnp.int32) - 1
        equal = histogram[bin_]
        rank = rank - (at_least[bin_] - equal)
        prefix = (prefix << digit) | bin_.astype(uint_type)
    return prefix, rank, equal


def _histogram(
    array: jax.Array,
    key_fn: _KeyFn,
    prefix: jax.Array,
    shift: int,
    digit: int,
    *,
    whole: bool,
) -> jax.Array:
    """Counts of the ``digit`` bits above ``shift`` in the keys whose higher bits are ``prefix``;
    of all keys if ``whole``."""
    bins = 2**digit
    histogram = jnp.zeros(bins, jnp.int32)
    chunk = min(_CHUNK, array.size)
    if not chunk:
        return histogram

    def add(i: jax.Array, histogram: jax.Array) -> jax.Array:
        # The last chunk reaches back over elements that were counted already.
        start = jnp.minimum(i * chunk, array.size - chunk)
        positions = start + jnp.arange(chunk, dtype=jnp.int32)
        key = key_fn(lax.dynamic_slice(array, (start,), (chunk,)), positions)
        counted = positions >= i * chunk
        if not whole:
            counted &= key >> (shift + digit) == prefix
        bin_ = ((key >> shift) & (bins - 1)).astype(jnp.int32)
        return histogram.at[jnp.where(counted, bin_, bins)].add(1, mode="drop")

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
