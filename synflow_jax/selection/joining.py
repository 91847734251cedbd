"""Small arrays joined to longer ones, since each array adds a loop to compile."""

import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from synflow_jax.selection.reductions import one_device

# Elements. Neighbors smaller than this are joined; with 2**18 it was no faster.
_SMALL = 2**16


def joined(scores: Sequence[jax.Array]) -> list[jax.Array]:
    """On one device flat arrays, small neighbors joined to one; on several the scores as given.

    Joining sharded arrays would send them from device to device.
    """
    if not one_device():
        return list(scores)
    return [jnp.concatenate([each.reshape(-1) for each in run]) for run in runs(scores)]


def parted(
    arrays: Sequence[jax.Array], like: Sequence[jax.Array], *, alike: bool = False
) -> list[jax.Array]:
    """Cuts what `joined` made of arrays like ``like`` into parts of their shapes again.

    Args:
        arrays: from `joined`.
        like: arrays of the shapes that were joined.
        alike: whether parts of one shape are to be cut by the same compiled code, and used by the
            same. Otherwise parts that are joined again cost nothing.
    """
    if not one_device():
        return list(arrays)
    cut = _split_alike if alike else split_like
    pairs = zip(arrays, runs(like), strict=True)
    return [part for flat, run in pairs for part in cut(flat, run)]


def split_like(flat: jax.Array, arrays: Sequence[jax.Array]) -> list[jax.Array]:
    """One array of the shape of each of ``arrays``, cut from ``flat``, which may be longer."""
    ends = itertools.accumulate(each.size for each in arrays)
    parts = jnp.split(flat, list(ends))
    return [part.reshape(each.shape) for part, each in zip(parts, arrays, strict=False)]


def _split_alike(flat: jax.Array, arrays: Sequence[jax.Array]) -> list[jax.Array]:
    """`split_like`, with places that the compiler doesn't know: else each part has its own code."""
    if len(arrays) == 1:
        return split_like(flat, arrays)
    starts = itertools.accumulate([0, *(each.size for each in arrays[:-1])])
    starts = lax.optimization_barrier([jnp.int32(start) for start in starts])
    return [
        lax.dynamic_slice(flat, (start,), (each.size,)).reshape(each.shape)
        for start, each in zip(starts, arrays, strict=True)
    ]


def runs(scores: Sequence[jax.Array]) -> list[list[jax.Array]]:
    """Neighbors that are joined: on one device small ones together, each large one alone."""
    if not one_device():
        return [[leaf] for leaf in scores]
    found = []
    for small, some in itertools.groupby(scores, lambda leaf: leaf.size < _SMALL):
        run = list(some)
        found += [run] if small else [[leaf] for leaf in run]
    return found
