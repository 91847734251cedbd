"""Averages: sums that are divided by how many numbers they add up, as normalization does.

Their divisor is a number in the program, which doesn't change with the arrays. So where units go
over which an average is taken, it's either still divided by how many there were, or, with these
rules, an average of those that are left.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from synflow_jax.wiring.constraints import GONE, Constraint, Reasons, Sum
from synflow_jax.wiring.facts import Fact, unknown
from synflow_jax.wiring.program import Program, Step, all_steps
from synflow_jax.wiring.reductions import ended_axes, tie_others
from synflow_jax.wiring.rule import Context, KeptOf, Rule, rebound

_PASSED_ON = frozenset("broadcast_in_dim convert_element_type expand_dims reshape squeeze".split())


def with_averages(program: Program) -> Program:
    """The program in which averages are taken over what is left."""
    users: dict[int, list[Step]] = {}
    for step in all_steps(program.steps):
        for value in step.operands:
            users.setdefault(value, []).append(step)
    found = {
        step
        for step in all_steps(program.steps)
        if step.name == "reduce_sum"
        and not _has_own_derivative(step)
        and _divided(program, users, step.results[0], _count(program, step))
    }
    return replace(program, averages=frozenset(found))


def _has_own_derivative(step: Step) -> bool:
    """Whether it's part of a function whose derivative is given, which may divide as well."""
    outer = step.outer
    if outer is None:
        return False
    return outer.name in ("custom_jvp_call", "custom_vjp_call") or _has_own_derivative(outer)


def _count(program: Program, step: Step) -> int:
    shape = program.shape(step.operands[0])
    return math.prod(shape[axis] for axis in ended_axes(step))


def _divided(program: Program, users: dict[int, list[Step]], value: int, count: int) -> bool:
    """Whether all that uses a value divides it by a number."""
    if value in program.outputs or not users.get(value):
        return False
    return all(
        _divided(program, users, step.results[0], count)
        if step.name in _PASSED_ON
        else _divides(program, step, value, count)
        for step in users[value]
    )


def _divides(program: Program, step: Step, value: int, count: int) -> bool:
    if step.name not in ("div", "mul") or step.operands[0] != value:
        return False
    number = program.constants.get(step.operands[1])
    if number is None or np.size(number) != 1:
        return False
    factor = float(np.reshape(number, ())) if step.name == "div" else 1 / float(number)
    return math.isclose(factor, count, rel_tol=1e-6)


def in_derivative(step: Step) -> bool:
    """Whether it was made by taking a gradient."""
    return "transpose" in str(step.equation.source_info.name_stack)


def over_fewer(program: Program, kept: KeptOf) -> Iterable[Step]:
    """The averages that are taken over fewer numbers than before."""
    for step in all_steps(program.steps):
        if step in program.averages:
            own = kept(step.operands[0])
            if not all(own[axis].all() for axis in ended_axes(step)):
                yield step


def _tie(context: Context, step: Step) -> list[Constraint]:
    ends = tuple(context.axes.of(step.operands[0], axis) for axis in ended_axes(step))

    def need(reasons: Reasons) -> list[np.ndarray]:
        del reasons
        return [np.full(len(indices), GONE) for indices in ends]

    return [*tie_others(context, step, ended_axes(step)), Sum(ends, need, step)]


def _fact(step: Step, program: Program, fact: Fact) -> list[Fact]:
    # What it is depends on which are left, but where all are 0.
    return [unknown(len(program.shape(step.results[0])), fact.alive.any(ended_axes(step)))]


def _smaller(step: Step, kept: KeptOf, array: Any) -> Any:
    own = [kept(step.operands[0])[axis] for axis in ended_axes(step)]
    before, after = (math.prod(map(size, own)) for size in (len, np.sum))
    total = rebound(step, array)
    return total if before == after else total * (before / after)


AVERAGE = Rule(_tie, _fact, _smaller)
