"""Ideal gas quotas: every layer loses weights as volumes of gases do under one pressure."""

from collections.abc import Sequence
from functools import partial

import jax
import numpy as np

from synflow_jax.selection.budgets import Shapes, exact_counts, sizes_of
from synflow_jax.selection.groups import local_top_k
from synflow_jax.types import Selection

# Halvings of the range of F's logarithm, by which it's known to the last bit of a float64.
_HALVINGS = 80


def igq_densities(shapes: Shapes, density: float) -> np.ndarray:
    """A `Rule`: ``F / (F + size)`` with the one F that gives ``density`` in all."""
    sizes = sizes_of(shapes).astype(np.float64)
    if density >= 1:
        return np.ones(len(sizes))
    # Of the smallest layer alone F would be at least as low, of the largest at least as high.
    bounds = np.log(
        [max(1.0, size) * density / (1 - density) for size in (sizes.min(), sizes.max())]
    )
    low, high = bounds
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        kept = (sizes / (1 + sizes * np.exp(-middle))).sum()
        low, high = (low, middle) if kept > density * sizes.sum() else (middle, high)
    return 1 / (1 + sizes * np.exp(-(low + high) / 2))


def _keep(scores: Sequence[jax.Array], row: jax.Array) -> list[jax.Array]:
    """Keeps the highest scores of each layer, more of small layers: ideal gas quotas.

    A `Selection` for ``prune(..., select=sf.igq)``. A layer of N weights gets the density
    ``F / (F + N)``, with the one F for which all layers together get the density that's asked for
    (Vysogorets and Kempe 2021, arXiv:2107.02306, "Connectivity matters": each layer's
    sparsity is ``1 / (F / N + 1)``). No layer is ever dense or empty. All layers together keep as
    many weights as with `global_top_k`: the shares are rounded to whole numbers by their largest
    remainders. A layer keeps at least one weight if there are enough, and never more than in an
    earlier round. Of equal scores the first are kept, row by row.

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
    >>> sf.igq.counts([(784, 300), (300, 100), (100, 10)], np.array([0.1]))
    array([[15158, 10520,   942]])
    """
    return local_top_k.keep(scores, row)


igq = Selection(partial(exact_counts, "igq", igq_densities), _keep, shapes=True)
