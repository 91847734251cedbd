"""The last few numbers of a search, collected from large arrays in one pass over them.

Flat arrays are read in blocks of 65,536 numbers, one block after the other. A lane is what stands
at the same position of all blocks, a column of

                lane 0     lane 1    ...   lane 65535
    block 0     x[0]       x[1]            x[65535]
    block 1     x[65536]   x[65537]        x[131071]
    ...

and each array starts a block of its own. Each lane keeps the two largest wanted numbers among its
own, as two offsets of 16 bits in one uint32:

    bits 31-16   largest offset, 0 if there is none
    bits 15-0    second largest offset, 0 if there is none

If a thousand wanted numbers are at random positions, three of them share a lane with a probability
of 0.04, and one is lost. Counting those found tells.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.selection.counting import UNROLLED, ToBits

# Lanes, and elements of a block: 256 kB of offsets, which stay in the cache.
LANES = 2**16
# The largest offset that 16 bits hold.
MOST_OFFSET = 2**16 - 1


def collected(
    to_bits: ToBits, arrays: Sequence[jax.Array], low: jax.Array, high: jax.Array
) -> jax.Array:
    """The two largest offsets of each lane, of numbers whose bits are in ``low <= bits < high``.

    An offset is ``bits - low + 1``, so that 0 is left for none.

    Args:
        to_bits: makes unsigned integers of the arrays' elements.
        arrays: flat, each of fewer than 2**31 elements.
        low: a scalar of these integers' type.
        high: the same, at most `MOST_OFFSET` above ``low``.

    Returns:
        uint32 of shape ``(LANES,)``, two offsets in each, to be read by `halves`. On anything but
        a CPU all are 0: there, nothing is collected.
    """

    def by_lanes(low: jax.Array, high: jax.Array) -> jax.Array:
        two = jnp.zeros(LANES, jnp.uint32)
        for array in arrays:
            two = _add_array(two, to_bits, array.reshape(-1), low, high)
        return two

    def nothing(low: jax.Array, high: jax.Array) -> jax.Array:
        del low, high
        return jnp.zeros(LANES, jnp.uint32)

    return lax.platform_dependent(low, high, cpu=by_lanes, default=nothing)


def halves(two: jax.Array) -> list[jax.Array]:
    """The largest and the second largest offset of each lane, uint32 of shape ``(LANES,)``."""
    return [two >> 16, two & MOST_OFFSET]


def in_lane(arrays: Sequence[jax.Array], lane: jax.Array) -> jax.Array:
    """All numbers of one lane, of all flat arrays in turn; -inf where a last block is too short.

    Args:
        arrays: flat floating-point arrays.
        lane: its number, uint32.
    """

    def of_array(array: jax.Array) -> jax.Array:
        index = jnp.arange(_blocks(array), dtype=jnp.uint32) * LANES + lane
        return array.at[index].get(mode="fill", fill_value=-jnp.inf)

    return jnp.concatenate([of_array(array) for array in arrays])


def padded_starts(arrays: Sequence[jax.Array]) -> np.ndarray:
    """Where each flat array begins if all are joined, each padded to whole blocks; int32.

    The n-th number of `in_lane` has position ``n * LANES + lane`` there.
    """
    return np.cumsum([0, *map(_blocks, arrays[:-1])]).astype(np.int32) * np.int32(LANES)


def _blocks(array: jax.Array) -> int:
    return -(-array.size // LANES)


# Jitted, as is what is done to each block, so that arrays of one size are traced once.
@partial(jax.jit, static_argnames="to_bits")
def _add_array(
    two: jax.Array, to_bits: ToBits, array: jax.Array, low: jax.Array, high: jax.Array
) -> jax.Array:
    """Adds the offsets of a flat array's numbers to the lanes, uint32 of shape ``(LANES,)``."""
    blocks, last = divmod(array.size, LANES)
    turns = blocks // UNROLLED

    def add(two: jax.Array, block: jax.Array | int, size: int = LANES) -> jax.Array:
        numbers = lax.dynamic_slice(array, (block * LANES,), (size,))
        return _add_block(two, to_bits, numbers, low, high)

    def add_blocks(turn: jax.Array, two: jax.Array) -> jax.Array:
        for i in range(UNROLLED):
            two = add(two, turn * UNROLLED + i)
        return two

    if turns:
        two = lax.fori_loop(0, turns, add_blocks, two)
    for block in range(turns * UNROLLED, blocks):
        two = add(two, block)
    return add(two, blocks, last) if last else two


@partial(jax.jit, static_argnames="to_bits")
def _add_block(
    two: jax.Array, to_bits: ToBits, numbers: jax.Array, low: jax.Array, high: jax.Array
) -> jax.Array:
    """Adds the offsets of at most as many numbers as there are lanes."""
    above = to_bits(numbers) - low
    new = jnp.where(above < high - low, above + 1, 0).astype(jnp.uint32)
    new = jnp.pad(new, (0, LANES - numbers.size))
    first, second = halves(two)
    second = jnp.maximum(second, jnp.minimum(first, new))
    return (jnp.maximum(first, new) << 16) | second
