"""Whole numbers of weights for layers with densities of their own, exact in all."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from synflow_jax.selection.groups import kept_counts

Shapes = Sequence[tuple[int, ...]]
"""The layers' shapes, in the order of ``jax.tree.leaves``."""

Rule = Callable[[Shapes, float], np.ndarray]
"""``rule(shapes, density) -> densities``: of each layer, float64 of shape ``(layers,)``, such that
all layers together have ``density``; where that can't be, it raises a ValueError."""


def exact_counts(
    name: str, rule: Rule, shapes: Shapes, densities: Sequence[float] | np.ndarray
) -> np.ndarray:
    """How many weights each round keeps of each layer, in the densities of a rule.

    All layers together keep what `kept_counts` says of all their weights. What is left over after
    each layer's share is rounded down goes to those with the largest remainders, the first of equal
    ones. A layer keeps at most what the round before left of it, and at least one weight, unless
    there are more layers than weights to keep.

    Args:
        name: of the rule, for messages.
        rule: the layers' densities.
        shapes: of the layers.
        densities: of all layers together after each round, in (0, 1] and never rising.

    Returns:
        int64 of shape ``(rounds, layers)``.

    Raises:
        ValueError: there is one layer, or the rule can't be met.
    """
    if len(shapes) < 2:
        raise ValueError(
            f"{name} gives layers densities of their own, and there is one layer alone; pass "
            "select=sf.global_top_k"
        )
    sizes = sizes_of(shapes)
    most, rows = sizes, []
    for total in kept_counts(int(sizes.sum()), densities):
        shares = rule(shapes, total / max(1, sizes.sum())) * sizes
        most = whole_shares(shares, int(total), most)
        rows.append(most)
    return np.stack(rows)


def sizes_of(shapes: Shapes) -> np.ndarray:
    """The numbers of weights, int64."""
    return np.array([math.prod(shape) for shape in shapes], np.int64)


def whole_shares(shares: np.ndarray, total: int, most: np.ndarray) -> np.ndarray:
    """Whole numbers near ``shares`` that add up to ``total``.

    Args:
        shares: what each would get, float64; they add up to about ``total``.
        total: what they add up to, or all of ``most`` if that's less.
        most: the largest number for each, int64.

    >>> import numpy as np
    >>> from synflow_jax.selection.budgets import whole_shares
    >>> whole_shares(np.array([2.5, 0.2, 3.3]), 6, np.array([9, 9, 3]))
    array([2, 1, 3])
    """
    total = min(total, int(most.sum()))
    some = np.minimum(most, 1)
    # What is to be whole stays so, if that leaves enough for the others.
    floors = (np.where(shares >= most, most, some), some, np.zeros_like(some))
    least = next(floor for floor in floors if floor.sum() <= total)
    kept = np.clip(np.floor(shares).astype(np.int64), least, most)
    while (missing := total - kept.sum()) != 0:
        step = 1 if missing > 0 else -1
        free = kept < most if missing > 0 else kept > least
        gain = np.where(free, step * (shares - kept), -np.inf)
        kept[np.argsort(-gain, kind="stable")[: min(abs(missing), free.sum())]] += step
    return kept
