"""Counts over large arrays, at about the speed of memory on CPUs too.

XLA's CPU backend vectorizes elementwise operations, but not a reduction of something computed: it
takes ten times as long as reading the arrays. There, counts are added up elementwise, block by
block, eight of them in the bits of one integer, and only one block is reduced.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from synflow_jax.wide import Wide, total

PIVOTS = 7


class Pivots(NamedTuple):
    """The numbers ``base + (i << shift)`` for i from 1 to 7, scalars of an unsigned type."""

    base: jax.Array
    shift: jax.Array

    def all(self) -> jax.Array:
        """The seven numbers."""
        return self.base + (jnp.arange(1, PIVOTS + 1).astype(self.base.dtype) << self.shift)


# Eight counts of 4 bits in an integer: each holds up to 15, then they are moved to 16 bits. The
# first is of what's below all pivots, so that nothing has to be left out.
_BITS, _BLOCKS, _TOGETHER = 4, 15, 7
# Smaller blocks cost more calls, larger ones leave the cache. A multiple of _PARTS.
LANES, _PARTS = 2**16, 16

# Arrays for which blocks don't pay, and how many blocks 16 bits can count.
_SMALL, _MOST_BLOCKS = 2**13, 2**16 - 1

Keys = Callable[[jax.Array], jax.Array]
"""Unsigned integers of the same shape, elementwise."""


def alone() -> bool:
    """Whether there is one device, so that no array is sharded and all may be cut into blocks."""
    return jax.device_count() == 1


def counts_at_least(keys: Keys, arrays: Sequence[jax.Array], pivots: Pivots) -> Wide:
    """How many keys are as large as each pivot.

    Args:
        keys: of the arrays' elements.
        arrays: of any shapes, each of fewer than 2**31 elements.
        pivots: of the keys' type.

    Returns:
        Counts of shape ``(7,)``.
    """

    def by_reduction(pivots: Pivots) -> Wide:
        def counts(key: jax.Array) -> jax.Array:
            sums = [jnp.sum(key >= pivot, dtype=jnp.int32) for pivot in pivots.all()]
            return jnp.stack(sums)

        return total([counts(keys(array)) for array in arrays])

    longest = max(array.size for array in arrays)
    length = min(LANES, -(-longest // (_BLOCKS * _PARTS)) * _PARTS)
    blocks = sum(-(-array.size // length) for array in arrays) if length else 0

    def by_blocks(pivots: Pivots) -> Wide:
        packed = jnp.zeros((4, length), jnp.uint32)
        for array in arrays:
            packed = _add_packed(packed, keys, array.reshape(-1), pivots)
        # Suffix sums: what is in an interval is as large as the pivots up to it.
        behind = jnp.concatenate([_unpacked(packed), jnp.zeros(PIVOTS - 1, jnp.int32)])
        return total([behind[i + 1 : i + 1 + PIVOTS] for i in range(PIVOTS)])

    # Else XLA takes what doesn't change out of a loop around this, and writes it to memory.
    arrays, pivots = lax.optimization_barrier((arrays, pivots))
    if not alone() or longest < _SMALL or blocks > _MOST_BLOCKS:
        return by_reduction(pivots)
    return lax.platform_dependent(pivots, cpu=by_blocks, default=by_reduction)


def collected(
    keys: Keys, arrays: Sequence[jax.Array], low: jax.Array, high: jax.Array
) -> jax.Array:
    """How far keys with ``low <= key < high`` lie above ``low - 1``, and 0 for the others.

    Each of `LANES` lanes, through which the arrays pass, holds its two largest, so that some may
    be missing; on what isn't a single CPU all are.

    Args:
        keys: as in `counts_at_least`, and so are the arrays.
        low: a scalar of the keys' type.
        high: likewise, at most `MOST` above.

    Returns:
        uint32 of shape ``(LANES,)`` for `halves`.
    """

    def by_lanes(low: jax.Array, high: jax.Array) -> jax.Array:
        def offsets(array: jax.Array) -> jax.Array:
            above = keys(array) - low
            return jnp.where(above < high - low, above + 1, 0).astype(jnp.uint32)

        two = jnp.zeros(LANES, jnp.uint32)
        for array in arrays:
            two = _add_offsets(two, offsets, array.reshape(-1))
        return two

    def nothing(low: jax.Array, high: jax.Array) -> jax.Array:
        del low, high
        return jnp.zeros(LANES, jnp.uint32)

    return lax.platform_dependent(low, high, cpu=by_lanes, default=nothing)


def halves(two: jax.Array) -> list[jax.Array]:
    """The larger and the smaller numbers, of 16 bits, of each lane."""
    return [two >> 16, two & MOST]


def in_lane(arrays: Sequence[jax.Array], lane: jax.Array) -> jax.Array:
    """What passes through a lane (uint32): an element of each block, -inf behind an end."""

    def of(array: jax.Array) -> jax.Array:
        index = jnp.arange(_blocks(array), dtype=jnp.uint32) * LANES + lane
        return array.at[index].get(mode="fill", fill_value=-jnp.inf)

    return jnp.concatenate([of(array) for array in arrays])


def places(arrays: Sequence[jax.Array]) -> list[jax.Array]:
    """Flat uint32 for each: `LANES` times the blocks before, of all arrays, plus the lane."""
    before = itertools.accumulate(map(_blocks, arrays), initial=0)
    return [
        jnp.uint32(start * LANES) + lax.iota(jnp.uint32, array.size)
        for start, array in zip(before, arrays, strict=False)
    ]


MOST = 2**16 - 1


def _blocks(array: jax.Array) -> int:
    return -(-array.size // LANES)


def _add_offsets(two: jax.Array, offsets: Keys, array: jax.Array) -> jax.Array:
    """The two largest of each lane, in the halves of an integer."""
    blocks, rest = divmod(array.size, LANES)
    loops = blocks // _TOGETHER

    def add(two: jax.Array, block: jax.Array | int, size: int = LANES) -> jax.Array:
        new = offsets(lax.dynamic_slice(array, (block * LANES,), (size,)))
        new = jnp.pad(new, (0, LANES - size))
        largest, second = halves(two)
        second = jnp.maximum(second, jnp.minimum(largest, new))
        return (jnp.maximum(largest, new) << 16) | second

    def add_blocks(i: jax.Array, two: jax.Array) -> jax.Array:
        for j in range(_TOGETHER):
            two = add(two, i * _TOGETHER + j)
        return two

    if loops:
        two = lax.fori_loop(0, loops, add_blocks, two)
    for block in range(loops * _TOGETHER, blocks):
        two = add(two, block)
    return add(two, blocks, rest) if rest else two


def _add_packed(
    packed: jax.Array,
    keys: Keys,
    array: jax.Array,
    pivots: Pivots,
) -> jax.Array:
    """Adds, element by element of a block, how often each of the eight intervals occurs.

    Intervals i and i + 4 stand in the halves of the integers of ``packed[i]``.
    """
    length, size = packed.shape[1], array.size
    blocks = size // length
    loops, some = blocks // _TOGETHER, _BLOCKS // _TOGETHER

    def ones(key: jax.Array) -> jax.Array:
        interval = (jnp.maximum(key, pivots.base) - pivots.base) >> pivots.shift
        interval = jnp.minimum(interval, jnp.asarray(PIVOTS, key.dtype)).astype(jnp.uint32)
        return jnp.uint32(1) << (interval * _BITS)

    def of_block(block: jax.Array | int) -> jax.Array:
        return ones(keys(lax.dynamic_slice(array, (block * length,), (length,))))

    def add_blocks(i: jax.Array, counts: jax.Array) -> jax.Array:
        for j in range(_TOGETHER):
            counts += of_block(i * _TOGETHER + j)
        return counts

    def flushed(packed: jax.Array, counts: jax.Array) -> jax.Array:
        shifts = _BITS * jnp.arange(4, dtype=jnp.uint32)[:, None]
        return packed + ((counts[None] >> shifts) & jnp.uint32(0x000F000F))

    def add_group(group: jax.Array, packed: jax.Array) -> jax.Array:
        end = jnp.minimum((group + 1) * some, loops)
        start = jnp.zeros(length, jnp.uint32)
        return flushed(packed, lax.fori_loop(group * some, end, add_blocks, start))

    if loops:
        packed = lax.fori_loop(0, -(-loops // some), add_group, packed)
    rest = [of_block(block) for block in range(loops * _TOGETHER, blocks)]
    if last := size % length:
        rest.append(ones(jnp.pad(keys(array[blocks * length :]), (0, length - last))))
    return flushed(packed, sum(rest[1:], rest[0])) if rest else packed


def _unpacked(packed: jax.Array) -> jax.Array:
    """The sums over a block for each interval, int32 of shape ``(8,)``."""
    length = packed.shape[1] // _PARTS

    # A loop of two rounds: what it returns is reduced on its own, which is vectorized.
    def add_half(half: jax.Array, sums: jax.Array) -> jax.Array:
        for part in range(_PARTS // 2):
            start = (half * (_PARTS // 2) + part) * length
            parts = lax.dynamic_slice(packed, (0, start), (4, length))
            narrow = jnp.concatenate([parts & 0xFFFF, parts >> 16])
            sums = sums + narrow.astype(jnp.int32)
        return sums

    sums = lax.fori_loop(0, 2, add_half, jnp.zeros((PIVOTS + 1, length), jnp.int32))
    return jnp.sum(sums, axis=1, dtype=jnp.int32)


def largest(x: jax.Array) -> jax.Array:
    """The largest element of floating-point ``x``, -inf if there is none."""
    if x.size >= LANES:
        # A reduction of what is in memory is vectorized.
        x = lax.optimization_barrier(x)
    return jnp.max(x, initial=-jnp.inf)


def count(flags: jax.Array) -> jax.Array:
    """How many elements are ``True``, int32."""
    if not alone() or flags.size % 4 or flags.size < LANES:
        return jnp.sum(flags, dtype=jnp.int32)
    return jnp.sum(_in_fours(flags), dtype=jnp.int32)


def row_counts(flags: jax.Array) -> jax.Array:
    """How many are ``True`` in each row of two-dimensional flags, int32; rows divide by four."""
    return jnp.sum(_in_fours(flags).reshape(len(flags), -1), axis=1, dtype=jnp.int32)


def _in_fours(flags: jax.Array) -> jax.Array:
    words = lax.bitcast_convert_type(flags.astype(jnp.uint8).reshape(-1, 4), jnp.uint32)
    return lax.population_count(words).astype(jnp.int32)
