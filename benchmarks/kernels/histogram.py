"""The k-th highest of float32 numbers by histograms of their digits, a Pallas kernel for GPUs.

The order-preserving bits are four digits of 8 bits. A pass over all numbers counts, among those
that begin as the k-th does, how often each digit follows; so four passes find the k-th, whatever
the numbers. A program of the kernel makes the digit's halves rows of zeros with a single one, and
the product of both matrices, one row for each number, is its histogram:

    digit 0x21     high half 2: 0 0 1 0 ...     low half 1: 0 1 0 0 ...     adds one at (2, 1)

Atomic additions would be fewer operations, but many numbers have the same first digit and would
wait for one another, and Pallas's interpreter loses those that meet, so that they couldn't be
tested without a GPU.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

_BITS = 8
_HALF = 16
# Numbers that a program reads at once.
_BLOCK = 512
# Four for each multiprocessor of an H100 or H200.
_PROGRAMS = 528


def kth_by_digits(
    arrays: Sequence[jax.Array], k: jax.Array | int, *, interpret: bool = False
) -> jax.Array:
    """The k-th highest of all arrays, float32.

    Args:
        arrays: float32 of any shapes, together fewer than 2**31 elements. A NaN's rank is
            undefined.
        k: from 1 to their number.
        interpret: whether the kernel is interpreted, on any device.
    """
    prefix, missing = jnp.uint32(0), jnp.asarray(k, jnp.int32)
    for shift in range(32 - _BITS, -1, -_BITS):
        counts = [digit_counts(x.reshape(-1), prefix, shift, interpret=interpret) for x in arrays]
        # How many have this digit or a higher one, from the highest digit on.
        reached = jnp.cumsum(sum(counts[1:], counts[0])[::-1])
        place = jnp.sum(reached < missing, dtype=jnp.int32)
        missing -= jnp.where(place > 0, reached[place - 1], 0)
        digit = 2**_BITS - 1 - place
        prefix = (prefix << _BITS) | digit.astype(jnp.uint32)
    return _from_ordered(prefix)


def digit_counts(
    x: jax.Array, prefix: jax.Array, shift: int, *, interpret: bool = False
) -> jax.Array:
    """How often each digit occurs among the numbers whose bits above it are ``prefix``.

    Args:
        x: flat float32.
        prefix: uint32 scalar.
        shift: how many bits are below the digit.
        interpret: whether the kernel is interpreted.

    Returns:
        int32 of shape ``(256,)``.
    """
    programs = min(_PROGRAMS, pl.cdiv(x.size, _BLOCK))
    turns = pl.cdiv(x.size, _BLOCK * programs)
    counts = pl.pallas_call(
        partial(_count, size=x.size, shift=shift, turns=turns),
        grid=(programs,),
        out_specs=pl.BlockSpec((None, _HALF, _HALF), lambda program: (program, 0, 0)),
        out_shape=jax.ShapeDtypeStruct((programs, _HALF, _HALF), jnp.int32),
        interpret=interpret,
        compiler_params=triton.CompilerParams(num_warps=4),
    )(prefix[None], x)
    return jnp.sum(counts, axis=0, dtype=jnp.int32).reshape(-1)


def _count(prefix: Any, x: Any, counts: Any, *, size: int, shift: int, turns: int) -> None:
    program, wanted, halves = pl.program_id(0), prefix[0], jnp.arange(_HALF, dtype=jnp.uint32)[None]

    def turn(i: jax.Array, sums: jax.Array) -> jax.Array:
        places = (program * turns + i) * _BLOCK + jnp.arange(_BLOCK)
        inside = places < size
        bits = _ordered(triton.load(x.at[places], mask=inside, other=0.0))
        if shift + _BITS < 32:
            inside &= bits >> (shift + _BITS) == wanted
        digits = (bits >> shift) & (2**_BITS - 1)
        high = ((digits >> 4)[:, None] == halves) & inside[:, None]
        low = (digits & (_HALF - 1))[:, None] == halves
        return sums + triton.dot(high.astype(jnp.bfloat16), low.astype(jnp.bfloat16), trans_a=True)

    # A program counts fewer than 2**24, which float32 holds.
    sums = lax.fori_loop(0, turns, turn, jnp.zeros((_HALF, _HALF), jnp.float32))
    counts[...] = sums.astype(jnp.int32)


def _ordered(x: jax.Array) -> jax.Array:
    """Bits in the order of the floats, uint32: of negative ones all are flipped, else the sign."""
    signed = lax.bitcast_convert_type(jnp.where(x == 0, 0.0, x), jnp.int32)
    flips = (signed >> 31) | jnp.iinfo(jnp.int32).min
    return lax.bitcast_convert_type(signed ^ flips, jnp.uint32)


def _from_ordered(bits: jax.Array) -> jax.Array:
    signed = lax.bitcast_convert_type(bits, jnp.int32)
    flips = (~signed >> 31) | jnp.iinfo(jnp.int32).min
    return lax.bitcast_convert_type(signed ^ flips, jnp.float32)
