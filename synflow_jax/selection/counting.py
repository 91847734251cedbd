"""How many numbers are at least as large as each of seven pivots: the pass of the search.

XLA's CPU backend vectorizes elementwise operations, but not a reduction of something computed: it
takes ten times as long as reading the arrays. There, an array is read in blocks of 65,536 numbers,
which are added up element by element, and only one block of sums is reduced at the end.

The seven pivots divide the numbers into eight intervals, numbered from 0 (below all pivots) to 7.
Each element of the block holds eight counts, one for each interval, of 4 bits in one uint32:

    bits       31-28  27-24  23-20  19-16  15-12  11-8   7-4    3-0
    interval     7      6      5      4      3      2      1      0

so that a number of interval i adds ``1 << 4 * i``. Before a count may exceed 15, after 14 blocks,
all eight are moved to 16 bits, by a shift and a mask with ``0x000F000F``, and start from 0 again:

    packed[0]   interval 4 in the upper 16 bits, interval 0 in the lower 16 bits
    packed[1]   interval 5, interval 1
    packed[2]   interval 6, interval 2
    packed[3]   interval 7, interval 3
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from synflow_jax.selection.reductions import one_device
from synflow_jax.selection.two_words import TwoWordCount, sum_of

# Pivots of a pass. They make eight intervals, whose counts of 4 bits fill 32. With eight pivots
# what is below all has to be left out: a pass over 14.8 million scores took 2.2 instead of 2.0 ms.
PIVOTS = 7
# Bits of a count before it's moved.
_COUNT_BITS = 4
# Blocks that 4 bits can count.
_MOST_IN_COUNT_BITS = 2**_COUNT_BITS - 1
# Blocks that 16 bits can count.
_MOST_IN_HALF = 2**16 - 1
# Elements of a block, 256 kB of float32. Smaller ones cost more calls, larger ones leave the cache;
# half and twice as many took about as long, within 10 %.
_BLOCK = 2**16
# Blocks a turn of a loop, written out one after the other so that XLA makes one operation of them.
# With 5, 7 and 15 the k-th of 14.8 million scores took 9.9, 9.2 and 8.4 ms and was compiled in 2.0,
# 1.9 and 2.5 s.
UNROLLED = 7
# A block is a multiple of it, for vectors.
_ALIGNED = 16
# Elements. Where no array has as many, blocks don't pay.
_SMALL = 2**13

ToBits = Callable[[jax.Array], jax.Array]
"""An elementwise function of an array that returns unsigned integers, such as `ordered_bits`."""


class Pivots(NamedTuple):
    """The numbers ``base + (i << shift)`` for i from 1 to 7.

    Attributes:
        base: a scalar, uint32 or uint64.
        shift: a scalar of the same type, the logarithm of the distance to base 2. A number's
            interval is found by a subtraction and a shift, without a comparison.
    """

    base: jax.Array
    shift: jax.Array

    def all(self) -> jax.Array:
        """The seven numbers, of shape ``(7,)``."""
        return self.base + (jnp.arange(1, PIVOTS + 1).astype(self.base.dtype) << self.shift)


def counts_at_least(to_bits: ToBits, arrays: Sequence[jax.Array], pivots: Pivots) -> TwoWordCount:
    """How many elements of all arrays have bits that are at least as large as each pivot.

    Args:
        to_bits: makes unsigned integers of the pivots' type of the arrays' elements.
        arrays: of any shapes and shardings, each of fewer than 2**31 elements.
        pivots: what to compare with.

    Returns:
        Counts of shape ``(7,)``.
    """
    longest = max(array.size for array in arrays)
    # Shorter blocks where a whole one would be more than a fifteenth of the longest array.
    length = min(_BLOCK, -(-longest // (_MOST_IN_COUNT_BITS * _ALIGNED)) * _ALIGNED)
    blocks = sum(-(-array.size // length) for array in arrays) if length else 0
    # Else XLA takes what doesn't change out of a loop around this, and writes it to memory.
    arrays, pivots = lax.optimization_barrier((arrays, pivots))
    by_reduction = partial(_by_reduction, to_bits, arrays)
    if not one_device() or longest < _SMALL or blocks > _MOST_IN_HALF:
        return by_reduction(pivots)
    by_blocks = partial(_by_blocks, to_bits, arrays, length)
    return lax.platform_dependent(pivots, cpu=by_blocks, default=by_reduction)


def _by_reduction(to_bits: ToBits, arrays: Sequence[jax.Array], pivots: Pivots) -> TwoWordCount:
    def of_array(bits: jax.Array) -> jax.Array:
        sums = [jnp.sum(bits >= pivot, dtype=jnp.int32) for pivot in pivots.all()]
        return jnp.stack(sums)

    return sum_of([of_array(to_bits(array)) for array in arrays])


def _by_blocks(
    to_bits: ToBits, arrays: Sequence[jax.Array], length: int, pivots: Pivots
) -> TwoWordCount:
    packed = jnp.zeros((4, length), jnp.uint32)
    for array in arrays:
        packed = _add_array(packed, to_bits, array.reshape(-1), pivots)
    # A number of interval i is at least as large as pivots 1 to i, so the count of pivot i is the
    # sum over the intervals from i on.
    intervals = jnp.concatenate([_unpacked(packed), jnp.zeros(PIVOTS - 1, jnp.uint32)])
    return sum_of([intervals[i + 1 : i + 1 + PIVOTS] for i in range(PIVOTS)])


# Jitted, as is what is done to each block, so that arrays of one size are traced once.
@partial(jax.jit, static_argnames="to_bits")
def _add_array(packed: jax.Array, to_bits: ToBits, array: jax.Array, pivots: Pivots) -> jax.Array:
    """Adds the intervals of a flat array's numbers to ``packed``, uint32 of shape (4, block)."""
    length = packed.shape[1]
    blocks, last = divmod(array.size, length)
    turns, turns_a_move = blocks // UNROLLED, _MOST_IN_COUNT_BITS // UNROLLED

    def ones(block: jax.Array | int) -> jax.Array:
        return _ones(to_bits, lax.dynamic_slice(array, (block * length,), (length,)), pivots)

    def add_blocks(turn: jax.Array, counts: jax.Array) -> jax.Array:
        for i in range(UNROLLED):
            counts += ones(turn * UNROLLED + i)
        return counts

    def add_turns(move: jax.Array, packed: jax.Array) -> jax.Array:
        end = jnp.minimum((move + 1) * turns_a_move, turns)
        start = jnp.zeros(length, jnp.uint32)
        return _moved(packed, lax.fori_loop(move * turns_a_move, end, add_blocks, start))

    if turns:
        packed = lax.fori_loop(0, -(-turns // turns_a_move), add_turns, packed)
    rest = [ones(block) for block in range(turns * UNROLLED, blocks)]
    if last:
        rest.append(jnp.pad(_ones(to_bits, array[blocks * length :], pivots), (0, length - last)))
    return _moved(packed, sum(rest[1:], rest[0])) if rest else packed


@partial(jax.jit, static_argnames="to_bits")
def _ones(to_bits: ToBits, numbers: jax.Array, pivots: Pivots) -> jax.Array:
    """A one in the count of each number's interval."""
    bits = to_bits(numbers)
    interval = (jnp.maximum(bits, pivots.base) - pivots.base) >> pivots.shift
    interval = jnp.minimum(interval, jnp.asarray(PIVOTS, bits.dtype)).astype(jnp.uint32)
    return jnp.uint32(1) << (interval * _COUNT_BITS)


def _moved(packed: jax.Array, counts: jax.Array) -> jax.Array:
    """Adds counts of 4 bits to those of 16 bits."""
    shifts = _COUNT_BITS * jnp.arange(4, dtype=jnp.uint32)[:, None]
    return packed + ((counts[None] >> shifts) & jnp.uint32(0x000F000F))


def _unpacked(packed: jax.Array) -> jax.Array:
    """The sum over the block of each interval's counts, uint32 of shape ``(8,)``."""
    counts = jnp.concatenate([packed & 0xFFFF, packed >> 16])
    # What is in memory is reduced vectorized, of something computed it isn't.
    return jnp.sum(lax.optimization_barrier(counts), axis=1, dtype=jnp.uint32)
