"""Pooling and what its gradients need: windows move along some axes and leave the others."""

from typing import Any

import numpy as np

from synflow_jax.wiring.constraints import Constraint, Hold
from synflow_jax.wiring.facts import Fact, unknown
from synflow_jax.wiring.program import Program, Step
from synflow_jax.wiring.rule import Context, Rule, nothing_known, unchanged


def windowed(step: Step, rank: int) -> Any:
    """For each axis, whether the window does anything along it."""
    params, ones, zeros = step.equation.params, (1,) * rank, ((0, 0),) * rank
    names = "window_dimensions window_strides base_dilation window_dilation".split()
    found = np.array(params.get("padding", zeros)).any(1)
    for name in names:
        found |= np.array(params.get(name) or ones) != 1
    return found.tolist()


def _tie(context: Context, step: Step) -> list[Constraint]:
    """The windows' axes stay whole."""
    (result,) = step.results
    rank = len(context.program.shape(result))
    moved = windowed(step, rank)
    found: list[Constraint] = []
    for operand in step.operands:
        if len(context.program.shape(operand)) != rank:
            continue
        pairs = {axis: axis for axis in range(rank) if not moved[axis]}
        found += context.tied(operand, result, pairs)
        found += [Hold(context.axes.of(operand, a), None) for a in range(rank) if moved[a]]
    return found + [
        Hold(context.axes.of(result, axis), None) for axis in range(rank) if moved[axis]
    ]


def _fact_extreme(step: Step, program: Program, fact: Fact) -> list[Fact]:
    """A constant along the windows stays what it is, where each window has some of it."""
    moved = windowed(step, fact.alive.ndim)
    along = tuple(axis for axis, each in enumerate(moved) if each)
    varies = fact.varies.any(along, keepdims=True)
    first = fact.number[tuple(slice(0, 1) if each else slice(None) for each in moved)]
    varies = varies | (fact.number != first).any(along, keepdims=True) | (not _all_filled(step))
    return [Fact(varies, first, fact.moves.any(along, keepdims=True))]


def _all_filled(step: Step) -> bool:
    """Whether each window has at least one element, since padding is less than a window."""
    params = step.equation.params
    sizes, padding = params["window_dimensions"], params["padding"]
    dilated = any(d != 1 for name in ("base_dilation", "window_dilation") for d in params[name])
    return not dilated and all(
        (0 <= low < size and 0 <= high < size) or (size == 1 and low == high == 0)
        for size, (low, high) in zip(sizes, padding, strict=True)
    )


def _fact_sum(step: Step, program: Program, fact: Fact) -> list[Fact]:
    """0 where all of a window's axis is 0."""
    moved = windowed(step, fact.alive.ndim)
    along = tuple(axis for axis, each in enumerate(moved) if each)
    return [unknown(fact.alive.ndim, fact.alive.any(along, keepdims=True))]


def _fact_scattered(step: Step, program: Program, source: Fact, operand: Fact) -> list[Fact]:
    """The gradient of max pooling: 0 where what comes back is."""
    rank = len(program.shape(step.results[0]))
    along = tuple(axis for axis, each in enumerate(windowed(step, rank)) if each)
    return [unknown(rank, source.alive.any(along, keepdims=True))]


_POOLS = "reduce_window_max reduce_window_min".split()
RULES: dict[str, Rule] = {
    **dict.fromkeys(_POOLS, Rule(_tie, _fact_extreme, unchanged)),
    "reduce_window_sum": Rule(_tie, _fact_sum, unchanged),
    "select_and_gather_add": Rule(_tie, nothing_known, unchanged),
    "select_and_scatter_add": Rule(_tie, _fact_scattered, unchanged),
}
