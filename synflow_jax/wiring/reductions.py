"""Operations along axes: sums, which units may leave, and others, which need all of an axis."""

import math
from typing import Any

import numpy as np

from synflow_jax.wiring.constraints import GONE, Constraint, Hold, Reasons, Sum
from synflow_jax.wiring.facts import Fact, unknown
from synflow_jax.wiring.program import Program, Step
from synflow_jax.wiring.rule import Context, KeptOf, Rule, nothing_known, rebound, unchanged


def least(pattern: np.ndarray, reasons: np.ndarray, axis: int) -> np.ndarray:
    """The lowest reason along an axis among where the pattern is true; `GONE` if nowhere.

    An axis of size 1 of the pattern stands for all of it.
    """
    if pattern.shape[axis] == 1 and len(reasons) != 1:
        reasons = reasons.min(initial=GONE, keepdims=True)
    shape = [size for i, size in enumerate(pattern.shape) if i != axis]
    found = np.full(shape, GONE)
    for reason in np.unique(reasons[reasons < GONE]):
        hit = np.take(pattern, np.flatnonzero(reasons == reason), axis).any(axis)
        found = np.where(hit, np.minimum(found, reason), found)
    return found


def ended_axes(step: Step) -> tuple[int, ...]:
    params = step.equation.params
    if "axes" in params:
        return tuple(int(axis) for axis in params["axes"])
    return (params["axis"] if "axis" in params else params["dimension"],)


def tie_others(context: Context, step: Step, along: tuple[int, ...]) -> list[Constraint]:
    """All axes but those that end tied to those of the results."""
    found: list[Constraint] = []
    for operand in step.operands:
        rank = len(context.program.shape(operand))
        left = [axis for axis in range(rank) if axis not in along]
        for result in step.results:
            shape = context.program.shape(result)
            if len(shape) == len(left):
                found += context.tied(operand, result, dict(zip(left, range(rank), strict=False)))
    return found


def _tie_sum(context: Context, step: Step) -> list[Constraint]:
    (operand,), along = step.operands, ended_axes(step)
    ends = tuple(context.axes.of(operand, axis) for axis in along)
    found = tie_others(context, step, along)
    if context.retraced:
        return [*found, *(Hold(indices, step) for indices in ends if len(indices) > 1)]
    alive = context.alive(operand)
    left = [axis for axis in range(alive.ndim) if axis not in along]
    kept = [context.axes.of(operand, axis) for axis in left]

    def need(reasons: Reasons) -> list[np.ndarray]:
        return [
            _needed(alive, along[i], left, [reasons(axis) for axis in kept])
            for i in range(len(ends))
        ]

    return [*found, Sum(ends, need, step)]


def _needed(
    alive: np.ndarray, along: int, left: list[int], reasons: list[np.ndarray]
) -> np.ndarray:
    """Why the indices of an axis that ends stay: of the results that they add to."""
    found = np.where(alive, 0, GONE)
    for axis, own in zip(left, reasons, strict=True):
        shape = [1] * alive.ndim
        shape[axis] = -1
        if alive.shape[axis] == 1:
            found = np.maximum(found, own.min(initial=GONE))
        else:
            found = np.maximum(found, own.reshape(shape))
    others = tuple(axis for axis in range(alive.ndim) if axis != along)
    return found.min(others, initial=GONE)


def _fact_sum(step: Step, program: Program, fact: Fact) -> list[Fact]:
    along, shape = ended_axes(step), program.shape(step.operands[0])
    copies = np.prod([shape[a] for a in along if fact.number.shape[a] == 1], dtype=float)
    dtype = program.avals[step.results[0]].dtype
    number = (fact.number.sum(along) * copies).astype(dtype)
    return [Fact(fact.varies.any(along), np.asarray(number), fact.moves.any(along))]


def _tie_average(context: Context, step: Step) -> list[Constraint]:
    ends = tuple(context.axes.of(step.operands[0], axis) for axis in ended_axes(step))

    def need(reasons: Reasons) -> list[np.ndarray]:
        del reasons
        return [np.full(len(indices), GONE) for indices in ends]

    return [*tie_others(context, step, ended_axes(step)), Sum(ends, need, step)]


def _fact_average(step: Step, program: Program, fact: Fact) -> list[Fact]:
    # What it is depends on which are left, but where all are 0.
    return [unknown(len(program.shape(step.results[0])), fact.alive.any(ended_axes(step)))]


def _smaller_average(step: Step, kept: KeptOf, array: Any) -> Any:
    own = [kept(step.operands[0])[axis] for axis in ended_axes(step)]
    before, after = (math.prod(map(size, own)) for size in (len, np.sum))
    total = rebound(step, array)
    return total if before == after else total * (before / after)


def _tie_kept(context: Context, step: Step) -> list[Constraint]:
    """The axes that it runs along stay whole."""
    along = ended_axes(step)
    whole = [(value, axis) for value in step.operands for axis in along]
    found: list[Constraint] = [Hold(context.axes.of(*each), step) for each in whole]
    return [*found, *tie_others(context, step, along)]


def _fact_extreme(step: Step, program: Program, fact: Fact) -> list[Fact]:
    along = ended_axes(step)
    pick = np.max if step.name == "reduce_max" else np.min
    return [Fact(fact.varies.any(along), pick(fact.number, along), fact.moves.any(along))]


def _tie_cumulative(context: Context, step: Step) -> list[Constraint]:
    (operand,), (result,) = step.operands, step.results
    along = ended_axes(step)
    found: list[Constraint] = [Hold(context.axes.of(v, along[0]), step) for v in (operand, result)]
    rank = len(context.program.shape(operand))
    return found + context.tied(operand, result, {i: i for i in range(rank) if i not in along})


def _fact_where_alive(step: Step, program: Program, *facts: Fact) -> list[Fact]:
    """0 where the operand is 0 along the axis, and not known elsewhere."""
    axis = ended_axes(step)[0]
    return [unknown(fact.alive.ndim, fact.alive.any(axis, keepdims=True)) for fact in facts]


def _tie_sort(context: Context, step: Step) -> list[Constraint]:
    axis = step.equation.params["dimension"]
    found: list[Constraint] = []
    for value in (*step.operands, *step.results):
        found.append(Hold(context.axes.of(value, axis), step))
        rank = len(context.program.shape(value))
        pairs = {i: i for i in range(rank) if i != axis}
        found += context.tied(step.operands[0], value, pairs)
    return found


def _smaller_arg(step: Step, kept: KeptOf, *arrays: object) -> object:
    del kept
    return rebound(step, *arrays)


RULES: dict[str, Rule] = {
    "reduce_sum": Rule(_tie_sum, _fact_sum, unchanged),
    **dict.fromkeys(("reduce_max", "reduce_min"), Rule(_tie_kept, _fact_extreme, unchanged)),
    **dict.fromkeys(
        "argmax argmin reduce_and reduce_or reduce_prod".split(),
        Rule(_tie_kept, nothing_known, unchanged),
    ),
    **dict.fromkeys(
        "cummax cummin cumsum".split(), Rule(_tie_cumulative, _fact_where_alive, unchanged)
    ),
    **dict.fromkeys(
        "cumlogsumexp cumprod".split(), Rule(_tie_cumulative, nothing_known, unchanged)
    ),
    "sort": Rule(_tie_sort, nothing_known, unchanged),
}

# The rule of a sum that the program divides by how many it adds up; see `averages`.
AVERAGE = Rule(_tie_average, _fact_average, _smaller_average)
