"""Selections that give small layers larger densities: Erdős-Rényi, and its form for kernels."""

from collections.abc import Sequence
from functools import partial

import jax
import numpy as np

from synflow_jax.selection.budgets import Shapes, exact_counts, sizes_of
from synflow_jax.selection.groups import local_top_k
from synflow_jax.types import Selection


def capped_densities(
    sizes: Sequence[int] | np.ndarray, weights: Sequence[float] | np.ndarray, density: float
) -> np.ndarray:
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


def erdos_renyi_densities(shapes: Shapes, density: float) -> np.ndarray:
    """A `Rule`: in proportion to ``(n_in + n_out) / (n_in * n_out)``."""
    last = [shape[-2:] for shape in shapes]
    return capped_densities(sizes_of(shapes), _sum_over_product(last), density)


def erdos_renyi_kernel_densities(shapes: Shapes, density: float) -> np.ndarray:
    """A `Rule`: in proportion to the sum of all axes' sizes over their product."""
    return capped_densities(sizes_of(shapes), _sum_over_product(shapes), density)


def _sum_over_product(shapes: Shapes) -> list[float]:
    # A layer without weights takes part in nothing.
    pairs = zip(shapes, sizes_of(shapes), strict=True)
    return [sum(shape) / max(size, 1) for shape, size in pairs]


def _keep(scores: Sequence[jax.Array], row: jax.Array) -> list[jax.Array]:
    """Keeps the highest scores of each layer, more of small layers: Erdős-Rényi densities.

    A `Selection` for ``prune(..., select=sf.erdos_renyi)`` and `prune_gradually`. A layer whose two
    last axes have sizes ``n_in`` and ``n_out`` gets the density ``min(1, e * (n_in + n_out) /
    (n_in * n_out))``, with ``e`` such that all layers together get the density that's asked for
    (Mocanu et al. 2018, arXiv:1707.04780, as is done for convolutions in programs that
    compare it with `erdos_renyi_kernel`). Where a layer's share would exceed 1 it stays dense, and
    ``e`` is solved for again. All layers together keep as many weights as with `global_top_k`: the
    shares are rounded to whole numbers by their largest remainders. A layer keeps at least one
    weight if there are enough, and never more than in an earlier round. Of equal scores the first
    are kept, row by row.

    Args:
        scores: floating-point arrays, one for each layer.
        row: how many to keep in each layer, int32 of shape ``(layers,)``.

    Returns:
        A boolean array for each layer, ``True`` where the score is kept.

    Raises:
        TypeError: scores aren't floating-point arrays.
        ValueError: from ``counts``, there is one layer alone.

    >>> import numpy as np
    >>> import synflow_jax as sf
    >>> sf.erdos_renyi.counts([(2, 4), (3, 6), (2, 4, 6)], np.array([0.5]))
    array([[ 6, 10, 21]])
    """
    return local_top_k.keep(scores, row)


def _keep_kernel(scores: Sequence[jax.Array], row: jax.Array) -> list[jax.Array]:
    """Keeps the highest scores of each layer, more of small layers: Erdős-Rényi-Kernel densities.

    A `Selection` for ``prune(..., select=sf.erdos_renyi_kernel)`` and `prune_gradually`. A layer of
    shape ``(n1, ..., nk)`` gets the density ``min(1, e * (n1 + ... + nk) / (n1 * ... * nk))``, with
    ``e`` such that all layers together get the density that's asked for (Evci et al. 2020,
    arXiv:1911.11134, section 3). Where a layer's share would exceed 1 it stays dense, and ``e`` is
    solved for again. In all else it's `erdos_renyi`, with which it agrees on dense layers.

    Args:
        scores: floating-point arrays, one for each layer.
        row: how many to keep in each layer, int32 of shape ``(layers,)``.

    Returns:
        A boolean array for each layer, ``True`` where the score is kept.

    Raises:
        TypeError: scores aren't floating-point arrays.
        ValueError: from ``counts``, there is one layer alone.

    >>> import numpy as np
    >>> import synflow_jax as sf
    >>> sf.erdos_renyi_kernel.counts([(3, 3, 16, 16), (16, 10)], np.array([0.1]))
    array([[147, 100]])
    """
    return local_top_k.keep(scores, row)


erdos_renyi = Selection(
    partial(exact_counts, "erdos_renyi", erdos_renyi_densities), _keep, shapes=True
)
erdos_renyi_kernel = Selection(
    partial(exact_counts, "erdos_renyi_kernel", erdos_renyi_kernel_densities),
    _keep_kernel,
    shapes=True,
)
