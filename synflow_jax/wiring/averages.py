"""Averages: sums that are divided by how many numbers they add up, as normalization does.

Their divisor is a number in the program, which doesn't change with the arrays. So where units go
over which an average is taken, it's either still divided by how many there were, or, with these
rules, an average of those that are left.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from synflow_jax.wiring.analysis import learned
from synflow_jax.wiring.facts import unknown
from synflow_jax.wiring.program import Program, Step, all_steps
from synflow_jax.wiring.reductions import ended_axes
from synflow_jax.wiring.rule import KeptOf

_PASSED_ON = frozenset("broadcast_in_dim convert_element_type expand_dims reshape squeeze".split())


def with_averages(program: Program) -> Program:
    """The program in which averages are taken over what is left."""
    users: dict[int, list[Step]] = {}
    for step in all_steps(program.steps):
        for value in step.operands:
            users.setdefault(value, []).append(step)
    sums = [step for step in all_steps(program.steps) if step.name == "reduce_sum"]
    if not sums:
        return program
    numbers = _numbers(program)
    found = {
        step
        for step in sums
        if not _has_own_derivative(step)
        and _divided(program, users, step.results[0], numbers, _count(program, step))
    }
    return replace(program, averages=frozenset(found))


def _numbers(program: Program) -> dict[int, float]:
    """The values that are one number whatever the inputs."""
    unknowns = [unknown(len(program.shape(value))) for value in program.inputs]
    facts = learned(program, unknowns, program.inputs).facts
    return {
        value: float(np.reshape(fact.number, ()))
        for value, fact in facts.items()
        if np.size(fact.number) == 1 and not np.any(fact.varies) and _is_real(fact.number)
    }


def _is_real(number: np.ndarray) -> bool:
    return np.issubdtype(number.dtype, np.floating) or np.issubdtype(number.dtype, np.integer)


def _has_own_derivative(step: Step) -> bool:
    """Whether it's part of a function whose derivative is given, which may divide as well."""
    outer = step.outer
    if outer is None:
        return False
    return outer.name in ("custom_jvp_call", "custom_vjp_call") or _has_own_derivative(outer)


def _count(program: Program, step: Step) -> int:
    shape = program.shape(step.operands[0])
    return math.prod(shape[axis] for axis in ended_axes(step))


def _divided(
    program: Program,
    users: dict[int, list[Step]],
    value: int,
    numbers: dict[int, float],
    count: int,
) -> bool:
    """Whether all that uses a value divides it by a number."""
    if value in program.outputs or not users.get(value):
        return False
    return all(
        _divided(program, users, step.results[0], numbers, count)
        if step.name in _PASSED_ON
        else _divides(step, value, numbers, count)
        for step in users[value]
    )


def _divides(step: Step, value: int, numbers: dict[int, float], count: int) -> bool:
    if step.name not in ("div", "mul") or step.operands[0] != value:
        return False
    number = numbers.get(step.operands[1], 0.0)
    factor = number if step.name == "div" else 1 / (number or math.inf)
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
