"""How many units may be left: targets in weights, multiplications or units."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from synflow_jax.checks import check_number
from synflow_jax.units.classes import Units
from synflow_jax.units.layout import Cost, Layout, exact

Measure = Literal["weights", "multiplications", "units"]
"""What a target counts."""


class Target(NamedTuple):
    """What should be left at the end.

    Attributes:
        measure: what is counted.
        fraction: how much of it, in (0, 1].
    """

    measure: Measure
    fraction: float


def check_target(weights: Any, multiplications: Any, units: Any) -> Target:
    """The one of the three that is given."""
    every = (
        Target("weights", weights),
        Target("multiplications", multiplications),
        Target("units", units),
    )
    given = [target for target in every if target.fraction is not None]
    if len(given) != 1:
        raise ValueError(
            f"pass one of weights, multiplications and units, got {len(given)}: the fraction of "
            "it that should be left, such as weights=0.25"
        )
    measure, value = given[0]
    fraction = check_number(measure, value, "a fraction such as 0.25")
    if not 0 < fraction <= 1:
        raise ValueError(
            f"{measure} is the fraction that should be left, above 0 and at most 1; got "
            f"{measure}={fraction:g}"
        )
    return Target(measure, fraction)


def cost_of(measure: Measure, layout: Layout) -> Cost | None:
    """The terms of a measure; None for units, which are counted."""
    costs = {"weights": layout.weights, "multiplications": layout.multiplications}
    return costs.get(measure)


def check_reachable(target: Target, units: Units, least: np.ndarray) -> None:
    """With the fewest units that each class keeps the target can be met."""
    lowest = _share(target.measure, units._layout, least)
    if target.fraction < lowest:
        raise ValueError(
            f"{target.measure}={target.fraction:g} can't be met: with the units that each class "
            f"keeps at least, {lowest:.4g} of all {target.measure} are left; pass a fraction from "
            "that to 1, a smaller minimum or more classes"
        )


def _share(measure: Measure, layout: Layout, counts: np.ndarray) -> float:
    """The fraction left with so many units of each class."""
    cost = cost_of(measure, layout)
    if cost is None:
        return float(counts.sum() / layout.sizes.sum())
    rank = (
        np.arange(len(layout.class_of)) - (np.cumsum(layout.sizes) - layout.sizes)[layout.class_of]
    )
    alive = rank < counts[layout.class_of]
    whole = exact(cost, layout, np.ones_like(alive))
    return float(exact(cost, layout, alive) / whole)


def class_counts(target: Target, layout: Layout, least: np.ndarray) -> np.ndarray:
    """How many units each class keeps if all keep the same fraction, int64.

    A class of N keeps ``N - floor((1 - fraction) N)``, and at least ``least``; the fraction is that
    of the target, or the largest one with which the target is met.
    """

    def counts(fraction: float) -> np.ndarray:
        sizes = layout.sizes
        return np.maximum(sizes - np.floor((1 - fraction) * sizes).astype(int), least)

    if target.measure == "units":
        return counts(target.fraction)
    return counts(_largest(lambda f: _share(target.measure, layout, counts(f)) <= target.fraction))


def _largest(holds: Callable[[float], bool]) -> float:
    """The largest number up to 1 for which something holds that holds for all lower ones."""
    low, high = 0.0, 1.0
    if holds(high):
        return high
    for _ in range(52):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
