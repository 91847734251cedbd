"""The average score of each layer, and the slope of its logarithm."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np


class LayerScore(NamedTuple):
    """One layer under one method.

    Attributes:
        method: name of the score.
        layer: name of its parameter.
        inverse_size: 1 / its weights.
        average: of its scores; GraSP's have both signs, of them the average's absolute value.
    """

    method: str
    layer: str
    inverse_size: float
    average: float


def layer_scores(method: str, scores: Callable[[], dict[str, jax.Array]]) -> list[LayerScore]:
    """The average score of each layer, added up in float64."""
    return [
        LayerScore(method, name, 1 / x.size, abs(float(np.asarray(x).mean(dtype=np.float64))))
        for name, x in scores().items()
    ]


def slope(rows: Sequence[LayerScore], method: str) -> float:
    """The least-squares slope of log(average) against log(inverse size), each layer one point."""
    chosen = [row for row in rows if row.method == method]
    x, y = (np.log10([getattr(r, name) for r in chosen]) for name in ("inverse_size", "average"))
    return float(np.polyfit(x, y, 1)[0])
