"""Selections by where layers stand in a network: Uniform+ and smart ratios."""

from collections.abc import Mapping, Sequence
from functools import partial

import jax
import numpy as np

from synflow_jax.selection.budgets import Shapes, exact_counts, sizes_of
from synflow_jax.selection.densities import capped_densities
from synflow_jax.selection.groups import local_top_k
from synflow_jax.types import Selection

# What the last dense layer keeps at least.
_LAST_OF_UNIFORM_PLUS = 0.2
_LAST_OF_SMART_RATIO = 0.3


def uniform_plus_densities(shapes: Shapes, density: float) -> np.ndarray:
    """A `Rule`: the same everywhere but in the first convolution and the last dense layer."""
    convolutions = [i for i, shape in enumerate(shapes) if len(shape) > 2]
    weights, first = np.ones(len(shapes)), dict.fromkeys(convolutions[:1], 1.0)
    return _with_last("uniform_plus", shapes, density, weights, first, least=_LAST_OF_UNIFORM_PLUS)


def smart_ratio_densities(shapes: Shapes, density: float) -> np.ndarray:
    """A `Rule`: in proportion to ``k^2 + k`` of the k-th layer from the end."""
    from_end = np.arange(len(shapes), 0, -1.0)
    weights = from_end**2 + from_end
    return _with_last("smart_ratio", shapes, density, weights, {}, least=_LAST_OF_SMART_RATIO)


def _with_last(
    name: str,
    shapes: Shapes,
    density: float,
    weights: np.ndarray,
    fixed: Mapping[int, float],
    *,
    least: float,
) -> np.ndarray:
    """Densities in proportion to weights, but for fixed ones and at least so much of the last."""
    sizes, fixed = sizes_of(shapes), dict(fixed)
    found = _others(sizes, density, weights, fixed)
    for last in [i for i, shape in enumerate(shapes) if len(shape) == 2][-1:]:
        if found[last] < least:
            fixed[last] = least
            found = _others(sizes, density, weights, fixed)
    _check(name, shapes, density, fixed)
    return found


def _others(
    sizes: np.ndarray, density: float, weights: np.ndarray, fixed: Mapping[int, float]
) -> np.ndarray:
    """Densities of which some are fixed, and the others in proportion to weights."""
    found, free = np.ones(len(sizes)), np.ones(len(sizes), bool)
    for place, own in fixed.items():
        found[place], free[place] = own, False
    left = density * sizes.sum() - (found * sizes)[~free].sum()
    if free.any():
        found[free] = capped_densities(sizes[free], weights[free], left / max(1, sizes[free].sum()))
    return found


def _check(name: str, shapes: Shapes, density: float, fixed: Mapping[int, float]) -> None:
    """Beside fixed layers at least one weight is left for each other."""
    sizes = sizes_of(shapes)
    least = np.minimum(sizes, 1).astype(np.float64)
    for place, own in fixed.items():
        least[place] = own * sizes[place]
    asked = density * sizes.sum()
    if asked < least.sum() - 0.5:
        parts = " and ".join(f"{own:.0%} of {tuple(shapes[i])}" for i, own in fixed.items())
        raise ValueError(
            f"{name} keeps {parts}, and at least a weight of each other layer, but {asked:,.0f} "
            f"weights are asked for; pass a compression of at most {sizes.sum() / least.sum():.4g}"
        )


def _keep_uniform_plus(scores: Sequence[jax.Array], row: jax.Array) -> list[jax.Array]:
    """Keeps the highest scores of each layer, the same part of all but two: Uniform+.

    A `Selection` for ``prune(..., select=sf.uniform_plus)``. The first convolution (three axes or
    more) stays dense, the last dense layer (two axes) keeps at least 20 % of its weights, and all
    others get one density, such that all layers together get the one that's asked for (Gale et al.
    2019, arXiv:1902.09574). Where no layer is a convolution none stays dense.

    First and last are so in the order of ``jax.tree.leaves``, in which dictionaries and modules are
    sorted by name; give `in_order` the order in which the network uses its layers if it's another.
    All layers together keep as many weights as with `global_top_k`: the shares are rounded to whole
    numbers by their largest remainders. A layer keeps at least one weight, and never more than in
    an earlier round. Of equal scores the first are kept, row by row.

    Args:
        scores: floating-point arrays, one for each layer.
        row: how many to keep in each layer, int32 of shape ``(layers,)``.

    Returns:
        A boolean array for each layer, ``True`` where the score is kept.

    Raises:
        TypeError: scores aren't floating-point arrays.
        ValueError: from ``counts``, there is one layer alone, or less is asked for than what both
            keep and one weight of each other layer.

    >>> import numpy as np
    >>> import synflow_jax as sf
    >>> sf.uniform_plus.counts([(3, 3, 1, 8), (3, 3, 8, 64), (64, 10)], np.array([0.1]))
    array([[ 72, 332, 128]])
    """
    return local_top_k.keep(scores, row)


def _keep_smart_ratio(scores: Sequence[jax.Array], row: jax.Array) -> list[jax.Array]:
    """Keeps the highest scores of each layer, less of later ones: smart ratios.

    A `Selection` for ``prune(..., select=sf.smart_ratio)``. Of L layers the l-th gets a density in
    proportion to ``(L - l + 1)^2 + (L - l + 1)``, and the last dense layer (two axes) at least 0.3,
    such that all layers together get the density that's asked for (Su et al. 2020,
    arXiv:2009.11094: random tickets, with ``sf.random()``). Where a layer's share would
    exceed 1 it stays dense, and the others are solved for again.

    The authors' program differs in three ways: for VGG it divides by ``l^2`` besides; what a layer
    can't take goes to the next ones with room, not to all; every dense layer keeps 0.3.

    Layers are counted in the order of ``jax.tree.leaves``, in which dictionaries and modules are
    sorted by name; give `in_order` the order in which the network uses its layers if it's another.
    All layers together keep as many weights as with `global_top_k`: the shares are rounded to whole
    numbers by their largest remainders. A layer keeps at least one weight, and never more than in
    an earlier round. Of equal scores the first are kept, row by row.

    Args:
        scores: floating-point arrays, one for each layer.
        row: how many to keep in each layer, int32 of shape ``(layers,)``.

    Returns:
        A boolean array for each layer, ``True`` where the score is kept.

    Raises:
        TypeError: scores aren't floating-point arrays.
        ValueError: from ``counts``, there is one layer alone, or less is asked for than 30 % of the
            last dense layer and one weight of each other.

    >>> import numpy as np
    >>> import synflow_jax as sf
    >>> sf.smart_ratio.counts([(3, 3, 1, 8), (3, 3, 8, 64), (64, 10)], np.array([0.1]))
    array([[ 10, 330, 192]])
    """
    return local_top_k.keep(scores, row)


uniform_plus = Selection(
    partial(exact_counts, "uniform_plus", uniform_plus_densities), _keep_uniform_plus, shapes=True
)
smart_ratio = Selection(
    partial(exact_counts, "smart_ratio", smart_ratio_densities), _keep_smart_ratio, shapes=True
)
