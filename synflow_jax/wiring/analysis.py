"""What is known of all values of a program, and the constraints on all its indices."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from synflow_jax.wiring.calls import (
    is_float,
    of_a_round,
    of_all_rounds,
    pushed_forward,
    tangent_fact,
    tie_scan,
)
from synflow_jax.wiring.constraints import Axes, Constraint, Hold, flat_indices
from synflow_jax.wiring.facts import Fact, constant_fact, equal, joined, unknown
from synflow_jax.wiring.program import Program, Step, all_steps, scan_sizes
from synflow_jax.wiring.rule import Context, Known, nothing_known
from synflow_jax.wiring.rules import rule_of


def learned(
    program: Program,
    inputs: Sequence[Fact],
    flowing: Iterable[int],
    taken_as: Callable[[Fact], Fact] = lambda fact: fact,
) -> Known:
    """What is known of each value.

    Args:
        program: the function.
        inputs: what is known of its inputs.
        flowing: those values among the inputs that are the network's own.
        taken_as: ``taken_as(fact)`` is what is made of a fact of a value that depends on them.
    """
    known = Known(dict(zip(program.inputs, inputs, strict=True)), set(flowing))
    for value, constant in program.constants.items():
        known.facts[value] = _constant(constant, program.avals[value])
    _Learner(program, *known, taken_as).learn(program.steps)
    return known


def _constant(constant: Any, aval: Any) -> Fact:
    if isinstance(constant, Tracer) or jnp.issubdtype(aval.dtype, jax.dtypes.extended):
        return unknown(len(aval.shape))
    return constant_fact(np.asarray(constant, aval.dtype))


@dataclass(frozen=True)
class _Learner:
    """What is known so far; all steps add to it.

    Attributes:
        program: the function.
        facts: by value.
        flowing: the values that depend on the network's inputs.
        taken_as: what is made of a fact of such a value.
    """

    program: Program
    facts: dict[int, Fact]
    flowing: set[int]
    taken_as: Callable[[Fact], Fact]

    def learn(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if not self.flowing.isdisjoint(step.operands):
                self.flowing.update(step.results)
            if step.name == "scan":
                self.rounds(step)
            elif step.body:
                self.learn(step.body)
                if step.name in ("custom_jvp_call", "custom_vjp_call"):
                    self.movement(step)
            else:
                rule = rule_of(self.program, step)
                given = [self.facts[operand] for operand in step.operands]
                self.put(
                    step.results, (rule.fact if rule else nothing_known)(step, self.program, *given)
                )

    def put(self, values: Iterable[int], facts: Iterable[Fact]) -> None:
        for value, fact in zip(values, facts, strict=True):
            self.facts[value] = self.taken_as(fact) if value in self.flowing else fact

    def rounds(self, step: Step) -> None:
        """What holds in all rounds of a loop."""
        consts, carry = scan_sizes(step.equation)
        given = [self.facts[operand] for operand in step.operands]
        fixed, state = given[:consts], given[consts : consts + carry]
        slices = [of_a_round(fact) for fact in given[consts + carry :]]
        pairs = zip(step.inner_operands, step.operands, strict=True)
        self.flowing.update(inner for inner, outer in pairs if outer in self.flowing)
        if not self.flowing.isdisjoint(step.operands):
            self.flowing.update(step.inner_operands[consts : consts + carry])
        while True:
            self.facts.update(zip(step.inner_operands, [*fixed, *state, *slices], strict=True))
            self.learn(step.body)
            results = [self.facts[value] for value in step.inner_results]
            after = [joined(*pair) for pair in zip(state, results[:carry], strict=True)]
            if all(equal(*pair) for pair in zip(state, after, strict=True)):
                break
            state = after
        self.put(step.results, [*state, *map(of_all_rounds, results[carry:])])

    def movement(self, step: Step) -> None:
        """Where the results of a function with a derivative of its own move in training."""
        operands = [self.facts[operand] for operand in step.operands]
        results = [value for value in step.results if value not in step.operands]
        if any((fact.moves & ~fact.varies).any() for fact in operands):
            moves = dict.fromkeys(results, np.True_)
            if step.name == "custom_jvp_call":
                moves = self.tangents(step, operands)
            for value in results:
                fact = self.facts[value]
                self.facts[value] = fact._replace(moves=moves[value] & ~fact.varies)

    def tangents(self, step: Step, operands: list[Fact]) -> dict[int, Any]:
        """Where the results' tangents may differ from 0, if the operands' do where they move."""
        forward = pushed_forward(step, self.program)
        floats = [is_float(self.program.avals[value]) for value in step.operands]
        moved = [tangent_fact(fact) for fact, real in zip(operands, floats, strict=True) if real]
        still = [fact._replace(moves=np.zeros_like(fact.moves)) for fact in operands]
        inner = learned(forward, [*still, *moved], ()).facts
        alive = iter([inner[value].alive for value in forward.outputs[len(step.results) :]])
        return {
            value: next(alive) if is_float(self.program.avals[value]) else np.False_
            for value in step.results
        }


def constraints_of(context: Context) -> list[Constraint]:
    """The constraints of all steps, in the order in which they run."""
    found: list[Constraint] = []
    for step in all_steps(context.program.steps):
        rule = rule_of(context.program, step)
        if step.name == "scan":
            found += tie_scan(context, step)
        elif step.body:
            continue  # its values are those of its body
        elif rule:
            own = rule.tie(context, step)
            found += [*own, *_unmentioned(context.axes, step, own)]
        else:
            found += held(context.axes, step.operands, step)
    return found


def _unmentioned(axes: Axes, step: Step, own: list[Constraint]) -> list[Constraint]:
    """Axes that a rule says nothing of stay, but for those that come into being with the step."""
    if step.name in ("broadcast_in_dim", "iota"):
        own = [
            *own,
            *(Hold(indices, None) for value in step.results for indices in axes.all_of(value)),
        ]
    mentioned = [part for each in own for part in flat_indices(each)]
    numbers = np.concatenate([np.zeros(0, int), *mentioned])
    every = [own for value in (*step.operands, *step.results) for own in axes.all_of(value)]
    left = [own for own in every if not np.isin(own, numbers).any()]
    return [Hold(own, step if len(own) > 1 else None) for own in left]


def held(axes: Axes, values: Iterable[int], step: Step | None) -> list[Constraint]:
    """All indices of values stay."""
    return [Hold(indices, step) for value in values for indices in axes.all_of(value)]
