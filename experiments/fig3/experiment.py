"""The sums of the scores that enter and that leave each hidden unit."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import jax
import numpy as np


class UnitScore(NamedTuple):
    """One hidden unit under one method.

    Attributes:
        method: name of the score.
        layer: name of the kernel before it.
        unit: its number in that layer.
        score_in: sum of the scores of its incoming weights.
        score_out: sum of the scores of its outgoing weights.
    """

    method: str
    layer: str
    unit: int
    score_in: float
    score_out: float


def unit_scores(method: str, scores: Callable[[], dict[str, jax.Array]]) -> list[UnitScore]:
    """Both sums for each hidden unit, in float64; layers in the order of the network."""
    kernels = [(name, np.asarray(x, np.float64)) for name, x in scores().items()]
    return [
        UnitScore(method, name, unit, float(entering), float(leaving))
        for (name, before), (_, after) in pairwise(kernels)
        for unit, (entering, leaving) in enumerate(zip(*in_and_out(before, after), strict=True))
    ]


def in_and_out(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the scores of two kernels at the units between them, each of shape ``(units,)``.

    Kernels hold the outputs last and the inputs before them. A dense kernel after a feature map has
    the channels as the fastest of its inputs.
    """
    units = before.shape[-1]
    return before.reshape(-1, units).sum(0), after.reshape(-1, units, after.shape[-1]).sum((0, 2))
