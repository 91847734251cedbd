"""N of each M weights along an axis of a kernel."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax.checks import check_rounds, check_whole
from synflow_jax.selection.top_k import check_scores
from synflow_jax.types import Selection

# By how much of itself a density may be off from n / m: numbers in float32 are by 6e-8.
_ROUNDING = 1e-6


def n_m_top_k(n: int, m: int, axis: int = -2) -> Selection:
    """Keeps the ``n`` highest scores of each ``m`` that follow each other along an axis.

    The pattern that hardware multiplies faster than dense matrices (2:4, Mishra et al. 2021,
    arXiv:2104.08378); there the axis is the one that a product adds up, a kernel's inputs. Each
    kernel is divided along it in groups of ``m``. A round of a given density keeps in every group
    the highest

        ``max(n, ceil(density * m))``

    scores, so that many rounds take away one of each group at a time; of equal ones the first stay.
    The last round keeps ``n``, so compression must be ``m / n``. Where ``m`` doesn't divide the
    axis, the last group is padded: the members that it lacks count as pruned, and of ``s`` that it
    has ``min(n, s)`` stay, so that a kernel with an axis of at most ``n`` loses nothing.

    Args:
        n: how many of each group stay, an int from 1 to ``m``.
        m: members of a group, an int.
        axis: along which groups lie, by default the last but one, the inputs of dense and
            convolutional kernels.

    Returns:
        A `Selection` for ``prune(..., m / n, select=sf.n_m_top_k(n, m))``. Equal arguments give
        equal ones.

    Raises:
        ValueError: n isn't from 1 to m; when pruning, compression isn't ``m / n``, a kernel lacks
            the axis, or the mask to go on from keeps too few of a group.
        TypeError: an argument isn't a whole number.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[4.0, 1.0], [-3.0, 4.0], [2.0, 2.0], [1.0, 3.0]])}
    >>> mask, _ = sf.prune(sf.magnitude(), params, 4 / 2, rounds=1, select=sf.n_m_top_k(2, 4))
    >>> mask["kernel"]
    Array([[ True, False],
           [ True,  True],
           [False, False],
           [False,  True]], dtype=bool)
    """
    n, m = check_rounds(n, "n"), check_rounds(m, "m")
    if n > m:
        raise ValueError(f"n must be between 1 and m, got n={n} and m={m}")
    return _selection(n, m, check_whole("axis", axis))


@cache
def _selection(n: int, m: int, axis: int) -> Selection:
    def counts(shapes: Sequence[tuple[int, ...]], densities: np.ndarray) -> np.ndarray:
        _check_axis(shapes, axis)
        _check_density(float(densities[-1]), n, m)
        each = np.ceil(densities * m * (1 - _ROUNDING)).astype(np.int64)
        return np.stack([_kept(shape, axis, m, np.maximum(n, each)) for shape in shapes], axis=1)

    def keep(scores: Sequence[jax.Array], row: Any) -> list[jax.Array]:
        """Keeps the highest of each group; see `n_m_top_k`."""
        check_scores(scores)
        kept = []
        for leaf, count in zip(scores, row, strict=True):
            table = jnp.asarray(_kept(leaf.shape, axis, m, np.arange(1, m + 1)), jnp.int32)
            kept.append(_highest(leaf, axis, m, jnp.sum(table <= count, dtype=jnp.int32)))
        return kept

    return Selection(counts, keep, shapes=True)


def _check_axis(shapes: Sequence[tuple[int, ...]], axis: int) -> None:
    for shape in shapes:
        if not -len(shape) <= axis < len(shape):
            raise ValueError(
                f"a kernel of shape {shape} has no axis {axis} to choose from along; pass another "
                "axis, or let prunable(path, leaf) be False there"
            )


def _check_density(density: float, n: int, m: int) -> None:
    if not math.isclose(density * m, n, rel_tol=_ROUNDING):
        raise ValueError(
            f"sf.n_m_top_k({n}, {m}) keeps {n} of each {m}, a density of {n / m:g}, but "
            f"compression and schedule ask for {density:g}; pass compression={m} / {n}"
        )


def _kept(shape: tuple[int, ...], axis: int, m: int, each: np.ndarray) -> np.ndarray:
    """How many weights of a kernel stay if so many of each group do."""
    full, rest = divmod(shape[axis], m)
    others = math.prod(shape) // max(1, shape[axis])
    return others * (full * np.minimum(each, m) + np.minimum(each, rest))


def _highest(scores: jax.Array, axis: int, m: int, each: jax.Array) -> jax.Array:
    """The so many highest scores of each group, -inf never: those that fewer others precede."""
    last = jnp.moveaxis(scores, axis, -1)
    *leading, length = last.shape
    padding = [(0, 0)] * len(leading) + [(0, -length % m)]
    padded = jnp.pad(last, padding, constant_values=-jnp.inf)
    groups = padded.reshape(*leading, padded.shape[-1] // m, m)
    own, other = groups[..., :, None], groups[..., None, :]
    earlier = np.tri(m, k=-1, dtype=bool).reshape(*[1] * len(leading), 1, m, m)
    before = jnp.sum((other > own) | ((other == own) & earlier), axis=-1, dtype=jnp.int32)
    kept = ((before < each) & (groups > -jnp.inf)).reshape(padded.shape)[..., :length]
    return jnp.moveaxis(kept, -1, axis)
