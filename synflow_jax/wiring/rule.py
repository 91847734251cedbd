"""What is known of an operation: how it ties indices, what it makes of facts, and smaller."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from synflow_jax.wiring.constraints import GONE, Axes, Constraint, Indices, Reasons, Sum, Tie
from synflow_jax.wiring.facts import Fact, unknown
from synflow_jax.wiring.program import Program, Step


class Known(NamedTuple):
    """What is known of a program's values.

    Attributes:
        facts: of each value.
        flowing: the values that depend on the network's inputs.
    """

    facts: dict[int, Fact]
    flowing: set[int]


KeptOf = Callable[[int], list[np.ndarray]]
"""For a value, the indices of each axis that are kept, bool."""


class Context(NamedTuple):
    """What the rules that tie indices look at.

    Attributes:
        axes: the indices.
        known: what is known of the values.
        retraced: whether the function will be traced anew with smaller arrays, so that sizes
            which enter it as numbers change.
    """

    axes: Axes
    known: Known
    retraced: bool

    def alive(self, value: int) -> Any:
        """bool; where a value may ever differ from 0."""
        return self.known.facts[value].alive

    @property
    def program(self) -> Program:
        """The program whose indices these are."""
        return self.axes.program

    def tied(self, left: int, right: int, pairs: dict[int, int]) -> list[Constraint]:
        """Axes of one value tied to axes of another, where they have the same size."""
        found: list[Constraint] = []
        for a, b in pairs.items():
            one, other = self.axes.of(left, a), self.axes.of(right, b)
            if len(one) == len(other):
                found.append(Tie(one, other))
        return found

    def spread(
        self, operand: int, result: int, step: Step, pairs: dict[int, int]
    ) -> list[Constraint]:
        """Axes of a step's operand tied to those of its result, or of size 1 and repeated there."""
        found = self.tied(operand, result, pairs)
        for a, b in pairs.items():
            one, other = self.axes.of(operand, a), self.axes.of(result, b)
            if len(one) == 1 < len(other):
                found.append(Sum((one,), _if_any(other), step))
        return found


def _if_any(indices: Indices) -> Callable[[Reasons], list[np.ndarray]]:
    """Why the one index of an axis stays that is repeated to these."""
    return lambda reasons: [reasons(indices).min(initial=GONE, keepdims=True)]


class Rule(NamedTuple):
    """An operation.

    Attributes:
        tie: ``tie(context, step)``: the constraints on the indices of its operands and results.
        fact: ``fact(step, program, *facts)``: what is known of its results.
        smaller: ``smaller(step, kept, *arrays)``: its results without the indices that go, given
            operands without them.
    """

    tie: Callable[[Context, Step], list[Constraint]]
    fact: Callable[..., list[Fact]]
    smaller: Callable[..., Any]


def nothing_known(step: Step, program: Program, *facts: Fact) -> list[Fact]:
    """Results that may be anything."""
    del facts
    return [unknown(len(program.shape(result))) for result in step.results]


def rebound(step: Step, *arrays: Any, **changes: Any) -> Any:
    """The operation on other arrays, with some of its parameters changed."""
    equation = step.equation
    params = equation.primitive.get_bind_params({**equation.params, **changes})
    with equation.ctx.manager:
        return equation.primitive.bind(*arrays, **params)


def unchanged(step: Step, kept: KeptOf, *arrays: Any) -> Any:
    """The same operation, whatever the shapes."""
    del kept
    return rebound(step, *arrays)


def counts(kept: list[np.ndarray]) -> tuple[int, ...]:
    """How many indices of each axis are kept."""
    return tuple(int(axis.sum()) for axis in kept)
