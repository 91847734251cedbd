"""Small arrays joined to longer ones, since each array adds a loop to compile."""

import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from synflow_jax.selection.reductions import one_device

# Elements. Neighbors smaller than this are joined; with 2**18 it was no faster.
_SMALL = 2**16


def joined(scores: Sequence[jax.Array]) -> list[jax.Array]:
    """On one device flat arrays, small neighbors joined to one; on several the scores as given.

    Joining sharded arrays would send them from device to device.
    """
    if not one_device():
        return list(scores)
    return [jnp.concatenate([each.reshape(-1) for each in run]) for run in _runs(scores)]


def parted(arrays: Sequence[jax.Array], like: Sequence[jax.Array]) -> list[jax.Array]:
    """Cuts what `joined` made of arrays like ``like`` into parts of their shapes again."""
    if not one_device():
        return list(arrays)
    runs = zip(arrays, _runs(like), strict=True)
    return [part for flat, run in runs for part in split_like(flat, run)]


def split_like(flat: jax.Array, arrays: Sequence[jax.Array]) -> list[jax.Array]:
    """One array of the shape of each of ``arrays``, cut from ``flat``, which may be longer."""
    ends = itertools.accumulate(each.size for each in arrays)
    parts = jnp.split(flat, list(ends))
    return [part.reshape(each.shape) for part, each in zip(parts, arrays, strict=False)]


def _runs(scores: Sequence[jax.Array]) -> list[list[jax.Array]]:
    """Neighbors that are joined: small ones together, each large one alone."""
    runs = []
    for small, some in itertools.groupby(scores, lambda leaf: leaf.size < _SMALL):
        run = list(some)
        runs += [run] if small else [[leaf] for leaf in run]
    return runs
