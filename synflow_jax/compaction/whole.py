"""What is remembered of a masked network: which of its weights are left, and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax import wiring

Left = tuple[np.ndarray, ...]
"""For each axis of an array, which of its indices are left, bool."""

Constants = Literal["keep", "at_zero", "drop"]
"""What becomes of units that nothing leads into: see `compact`."""

Averages = Literal["whole", "left"]
"""What averages over units are taken over: see `compact`."""


@dataclass(frozen=True, eq=False)
class Whole:
    """A masked network's params.

    Attributes:
        treedef: their structure.
        avals: shape and dtype of each leaf.
        names: of the leaves.
        facts: what is known of each leaf.
        constants: what becomes of units that nothing leads into.
        averages: what averages over units are taken over.
        lefts: which indices of each leaf's axes are left.
    """

    treedef: Any
    avals: list[jax.ShapeDtypeStruct]
    names: list[str]
    facts: list[wiring.Fact]
    constants: Constants
    averages: Averages
    lefts: list[Left]

    def traced(self, fn: Callable[..., Any], *args: Any) -> wiring.Program:
        """The program of ``fn(*args)``."""
        program = wiring.traced(fn, *args)
        return wiring.with_averages(program) if self.averages == "left" else program

    def known(self, program: wiring.Program, *, constants: Constants | None = None) -> wiring.Known:
        """What is known of a function's values; its first inputs are the params' leaves."""
        rest = program.inputs[len(self.avals) :]
        inputs = [*self.facts, *(wiring.unknown(len(program.shape(value))) for value in rest)]
        return wiring.learned(program, inputs, rest, _TAKEN_AS[constants or self.constants])


_TAKEN_AS: dict[Constants, Callable[[wiring.Fact], wiring.Fact]] = {
    "keep": lambda fact: fact,
    "at_zero": lambda fact: fact._replace(moves=np.zeros_like(fact.moves)),
    "drop": lambda fact: wiring.unknown(fact.varies.ndim, fact.varies),
}


def fact_of(leaf: Any, mask: Any) -> wiring.Fact:
    """What is known of a parameter: its numbers, and that they move where they are kept."""
    rank = leaf.ndim
    if jnp.issubdtype(leaf.dtype, jax.dtypes.extended):
        return wiring.unknown(rank)
    if rank > 1 and np.ndim(mask):
        # Only where it is 0 matters of a kernel.
        return wiring.unknown(rank, np.broadcast_to(np.asarray(mask), leaf.shape))
    trained = jnp.issubdtype(leaf.dtype, jnp.floating)
    number = np.where(np.asarray(mask), np.asarray(leaf), np.zeros((), leaf.dtype))
    moves = np.asarray(mask).reshape(np.shape(mask) or (1,) * rank) & trained
    return wiring.Fact(np.zeros((1,) * rank, bool), number, moves)


def in_training(fact: wiring.Fact, left: Left) -> wiring.Fact:
    """What is known of a parameter in training: not the numbers of what is left and moves."""
    stays = reduce(np.multiply.outer, left, np.True_)
    varies = fact.varies | (stays & fact.moves)
    return wiring.Fact(
        varies, np.where(varies, np.zeros_like(fact.number), fact.number), fact.moves
    )


class Decision(NamedTuple):
    """Which indices are left.

    Attributes:
        whole: the network, with what is left of its leaves and what is known of them then.
        lefts: of each leaf's axes, bool.
        kept: of each value's axes.
        held: how many units each step holds back that nothing uses.
        constant: how many units stay that only hold a constant.
    """

    whole: Whole
    kept: Callable[[int], list[np.ndarray]]
    held: dict[wiring.Step, int]
    constant: int


class Anew(NamedTuple):
    """How a function is traced anew with smaller arrays, whose sizes may enter it as numbers.

    Attributes:
        whole: leaves and axes of theirs that stay whole.
    """

    whole: Sequence[tuple[int, int]]


def decide(whole: Whole, program: wiring.Program, anew: Anew | None) -> Decision:
    """The fewest indices that have to stay.

    A constant that units share is trained by those that stay. So what is left of the params
    counts as unknown, and what else is needed then stays too, until nothing is missing.
    """
    start = whole.known(program)
    found = _decide(whole, program, start, start, anew)
    while whole.constants == "keep":
        facts = [in_training(*pair) for pair in zip(whole.facts, found.whole.lefts, strict=True)]
        before, found = (
            found,
            _decide(whole, program, replace(whole, facts=facts).known(program), start, anew),
        )
        found = found._replace(whole=replace(found.whole, facts=facts))
        if all(map(np.array_equal, *map(_flat, (before, found)))):
            break
    return found


def _flat(decision: Decision) -> list[np.ndarray]:
    return [own for left in decision.whole.lefts for own in left]


def _decide(
    whole: Whole,
    program: wiring.Program,
    known: wiring.Known,
    start: wiring.Known,
    anew: Anew | None,
) -> Decision:
    """The fewest indices that have to stay, given what is known, and what was at the start."""
    leaves = len(whole.avals)
    params, rest = program.inputs[:leaves], program.inputs[leaves:]
    axes = wiring.axes_of(program)
    constraints = wiring.held(axes, [*rest, *_unused(program, params)], None)
    retraced = anew is not None and whole.averages == "whole"
    for leaf, axis in anew.whole if anew and retraced else ():
        constraints.append(wiring.Hold(axes.of(params[leaf], axis), None))
    constraints += wiring.constraints_of(wiring.Context(axes, known, retraced))
    used = [indices for value in program.outputs for indices in axes.all_of(value)]
    while True:
        found = wiring.smallest(constraints, axes.count, used)
        # One index stays at least: checkpoints can't hold arrays without elements.
        empty = [
            indices[:1]
            for value in params
            for indices in axes.all_of(value)
            if len(indices) and (found.reasons[indices] == wiring.GONE).all()
        ]
        if not empty:
            break
        constraints.append(wiring.Hold(empty[0], None))
    flags = found.reasons < wiring.GONE

    def kept(value: int) -> list[np.ndarray]:
        return [flags[indices] for indices in axes.all_of(value)]

    of_leaves = np.concatenate(
        [np.zeros(0, int), *(indices for value in params for indices in axes.all_of(value))]
    )
    return Decision(
        replace(whole, lefts=[tuple(kept(value)) for value in params]),
        kept,
        _held_back(found, of_leaves),
        wiring.constant_units(program, start, axes, found),
    )


def _unused(program: wiring.Program, params: Sequence[int]) -> list[int]:
    """The params that the function never uses."""
    used = {value for step in wiring.all_steps(program.steps) for value in step.operands}
    return [value for value in params if value not in used and value not in program.outputs]


def _held_back(found: wiring.Kept, of_leaves: np.ndarray) -> dict[wiring.Step, int]:
    """How many classes with indices of leaves each step holds back."""
    first = np.unique(found.classes[of_leaves], return_index=True)[1]
    reasons = found.reasons[of_leaves[first]]
    counts = {}
    for reason, step in enumerate(found.holders, 1):
        held = int((reasons == reason).sum())
        if step is not None and held:
            counts[step] = held
    return counts
