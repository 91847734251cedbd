"""Functions within a function: loops, checkpoints, and functions with derivatives of their own."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import dtypes

from synflow_jax.wiring.constraints import Constraint, Hold
from synflow_jax.wiring.facts import Fact, unknown
from synflow_jax.wiring.program import Program, Step, scan_sizes, traced
from synflow_jax.wiring.rule import Context, rebound

# Loops


def tie_scan(context: Context, step: Step) -> list[Constraint]:
    """All rounds keep the same indices; the axis of the rounds stays whole."""
    consts, carry = scan_sizes(step.equation)
    axes = context.axes
    found: list[Constraint] = []
    outer_inner = list(zip(step.operands, step.inner_operands, strict=True))
    results = list(zip(step.results, step.inner_results, strict=True))
    plain = outer_inner[: consts + carry] + results[:carry]
    plain += list(
        zip(step.inner_operands[consts : consts + carry], step.inner_results, strict=False)
    )
    for one, other in plain:
        rank = len(context.program.shape(one))
        found += context.tied(one, other, {axis: axis for axis in range(rank)})
    for whole, part in outer_inner[consts + carry :] + results[carry:]:
        rank = len(context.program.shape(part))
        found += context.tied(whole, part, {axis + 1: axis for axis in range(rank)})
        found.append(Hold(axes.of(whole, 0), None))
    return found


def of_a_round(fact: Fact) -> Fact:
    """What holds in every round of what a loop takes a part of in each."""
    if not len(fact.number):
        return unknown(fact.alive.ndim - 1)
    first = fact.number[:1]
    varies = fact.varies.any(0) | (fact.number != first).any(0)
    return Fact(varies, first[0], fact.moves.any(0))


def of_all_rounds(fact: Fact) -> Fact:
    """What holds of what a loop stacks."""
    return Fact(*(part[None] for part in fact))


# Functions with derivatives of their own


def bound(step: Step) -> Any:
    """The step as a function of its operands."""

    def fn(*arrays: Any) -> Any:
        results = rebound(step, *arrays)
        return list(results) if step.equation.primitive.multiple_results else [results]

    return fn


def is_float(aval: Any) -> bool:
    """Whether values of a type have derivatives."""
    return jnp.issubdtype(aval.dtype, jnp.floating)


def pushed_forward(step: Step, program: Program) -> Program:
    """The program of ``(operands, tangents of the floating-point ones) -> (results, tangents)``."""
    avals = [_struct(program.avals[operand]) for operand in step.operands]

    def jvp(primals: Any, tangents: Any) -> Any:
        given = iter(tangents)
        full = [
            next(given) if is_float(aval) else np.zeros(aval.shape, dtypes.float0) for aval in avals
        ]
        results, moved = jax.jvp(bound(step), primals, full)
        return results, [m for m, r in zip(moved, results, strict=True) if is_float(r)]

    return traced(jvp, avals, [aval for aval in avals if is_float(aval)])


def pulled_back(step: Step, program: Program) -> Program:
    """The program of ``(operands, cotangents of the floating-point results) -> cotangents``."""
    avals = [_struct(program.avals[operand]) for operand in step.operands]
    results = [_struct(program.avals[result]) for result in step.results]

    def vjp(primals: Any, cotangents: Any) -> Any:
        floats = [p for p in primals if is_float(p)]

        def fn(*given: Any) -> Any:
            rest = iter(given)
            full = [
                next(rest) if is_float(aval) else p for aval, p in zip(avals, primals, strict=True)
            ]
            return [r for r in bound(step)(*full) if is_float(r)]

        return list(jax.vjp(fn, *floats)[1](list(cotangents)))

    return traced(vjp, avals, [aval for aval in results if is_float(aval)])


def _struct(aval: Any) -> Any:
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype)


def tangent_fact(fact: Fact) -> Fact:
    """Where an operand's tangent may differ from 0."""
    rank = fact.alive.ndim
    return unknown(rank, fact.varies | fact.moves)
