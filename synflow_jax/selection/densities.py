"""Selections that give each layer a density of its own, by its shape."""

import math
from collections.abc import Sequence

import jax
import numpy as np

from synflow_jax.selection.groups import kept_counts, local_top_k
from synflow_jax.types import Selection


def capped_densities(sizes: Sequence[int], weights: Sequence[float], density: float) -> np.ndarray:
    """Densities in proportion to ``weights``, at most 1, that keep ``density`` of all together.

    The factor ``e`` of ``min(1, e * weights)`` is solved for: layers that would exceed 1 are dense,
    and what they leave over goes to the others, until none exceeds it.

    Args:
        sizes: the number of weights of each layer.
        weights: of each layer, positive; only their ratios count.
        density: of all layers together, in (0, 1].

    Returns:
        float64 of shape ``(layers,)``.

    >>> from synflow_jax.selection.densities import capped_densities
    >>> capped_densities([10, 100], [1.0, 0.1], 0.5)
    array([1.  , 0.45])
    """
    size, weight = np.asarray(sizes, np.float64), np.asarray(weights, np.float64)
    dense = np.zeros(len(size), bool)
    while (shares := (size * weight)[~dense].sum()) > 0:
        factor = (density * size.sum() - size[dense].sum()) / shares
        above = ~dense & (factor * weight > 1)
        if not above.any():
            return np.where(dense, 1.0, factor * weight)
        dense |= above
    return np.ones(len(size))


def _kernel_counts(shapes: Sequence[tuple[int, ...]], densities: np.ndarray) -> np.ndarray:
    sizes = [math.prod(shape) for shape in shapes]
    # A layer without weights takes part in nothing.
    weights = [sum(shape) / max(size, 1) for shape, size in zip(shapes, sizes, strict=True)]
    rows = [capped_densities(sizes, weights, density) for density in densities]
    columns = zip(sizes, np.asarray(rows).T, strict=True)
    return np.stack([kept_counts(size, column) for size, column in columns], axis=1)


def _keep_kernel(scores: Sequence[jax.Array], row: jax.Array) -> list[jax.Array]:
    """Keeps the highest scores of each layer, more of small layers: Erdős-Rényi-Kernel densities.

    A `Selection` for ``prune(..., select=sf.erdos_renyi_kernel)`` and `prune_gradually`. A layer of
    shape ``(n1, ..., nk)`` gets the density ``min(1, e * (n1 + ... + nk) / (n1 * ... * nk))``, with
    ``e`` such that all layers together get the density that's asked for (Evci et al. 2020,
    arXiv:1911.11134, section 3; Mocanu et al. 2018, arXiv:1707.04780, for dense layers): where a
    layer's share would exceed 1 it stays dense, and ``e`` is solved for again. Of ``size`` weights
    a layer of density ``d`` keeps exactly ``size - floor((1 - d) * size)``, so that all together
    keep up to one weight a layer more than with `global_top_k`. Of equal scores the first are kept,
    row by row.

    Args:
        scores: floating-point arrays, one for each layer.
        row: how many to keep in each layer, int32 of shape ``(layers,)``.

    Returns:
        A boolean array for each layer, ``True`` where the score is kept.

    Raises:
        TypeError: scores aren't floating-point arrays.

    >>> import numpy as np
    >>> import synflow_jax as sf
    >>> sf.erdos_renyi_kernel.counts([(3, 3, 16, 16), (16, 10)], np.array([0.1]))
    array([[147, 101]])
    """
    return local_top_k.keep(scores, row)


erdos_renyi_kernel = Selection(_kernel_counts, _keep_kernel, shapes=True)
