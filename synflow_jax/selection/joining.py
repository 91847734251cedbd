"""Small arrays joined to longer ones, since each array adds a loop to compile."""

import itertools
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
from jax import lax

from synflow_jax.selection.reductions import one_device

# Elements. Neighbors smaller than this are joined: with 2**16 VGG-16 was compiled in 6.2 instead of
# 5.2 s and ResNet-50 in 12.9 instead of 7.8 s, with 2**22 rounds of VGG-16 took 12 % longer.
_SMALL = 2**20
# Elements of what they are joined to, whose positions int32 has to hold.
_MOST = 2**31


def joined(scores: Sequence[jax.Array], *, below: int = _SMALL) -> list[jax.Array]:
    """On one device flat arrays, neighbors of fewer elements than ``below`` joined to one.

    On several devices the scores as given: joining sharded ones would send them from one to
    another.
    """
    if not one_device():
        return list(scores)
    return [jnp.concatenate([each.reshape(-1) for each in run]) for run in runs(scores, below)]


def parted(
    arrays: Sequence[jax.Array],
    like: Sequence[jax.Array],
    starts: Sequence[jax.Array] | None = None,
) -> list[jax.Array]:
    """Cuts what `joined` made of arrays like ``like`` into parts of their shapes again.

    Args:
        arrays: from `joined`.
        like: arrays of the shapes that were joined.
        starts: where the parts of joined arrays begin, from `starts_of`. If the compiler doesn't
            know these numbers parts of one shape are cut by the same code, and used by the same;
            else parts that are joined again cost nothing.
    """
    if not one_device():
        return list(arrays)
    given = None if starts is None else iter(starts)
    parts = []
    for flat, run in zip(arrays, runs(like), strict=True):
        if given is not None and len(run) > 1:
            parts += _split_at(given, flat, run)
        else:
            parts += _split_like(flat, run)
    return parts


def starts_of(like: Sequence[jax.Array]) -> list[jax.Array]:
    """Where each of the arrays that `joined` joins begins, int32 scalars."""
    return [
        jnp.int32(start)
        for run in runs(like)
        if len(run) > 1
        for start in itertools.accumulate((each.size for each in run[:-1]), initial=0)
    ]


def _split_at(
    starts: Iterator[jax.Array], flat: jax.Array, run: Sequence[jax.Array]
) -> list[jax.Array]:
    return [
        lax.dynamic_slice(flat, (start,), (each.size,)).reshape(each.shape)
        for each, start in zip(run, starts, strict=False)
    ]


def _split_like(flat: jax.Array, arrays: Sequence[jax.Array]) -> list[jax.Array]:
    """One array of the shape of each of ``arrays``, cut from ``flat``, which may be longer."""
    ends = itertools.accumulate(each.size for each in arrays)
    parts = jnp.split(flat, list(ends))
    return [part.reshape(each.shape) for part, each in zip(parts, arrays, strict=False)]


def runs(scores: Sequence[jax.Array], below: int = _SMALL) -> list[list[jax.Array]]:
    """Neighbors that are joined: on one device small ones together, each large one alone."""
    joins = one_device()
    found, size = [], _MOST  # of the last run; where nothing may follow, the most
    for leaf in scores:
        small = joins and leaf.size < below
        size += leaf.size
        if small and size < _MOST:
            found[-1].append(leaf)
        else:
            found.append([leaf])
            size = leaf.size if small else _MOST
    return found
