"""Multiplications of a program, and the params that they are of."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from synflow_jax.wiring.constraints import USED, Axes
from synflow_jax.wiring.program import Program, Step, all_steps
from synflow_jax.wiring.rule import KeptOf, Known
from synflow_jax.wiring.solve import Kept as Found


def sources(program: Program, params: Sequence[int]) -> dict[int, int]:
    """For each value that is made of one parameter alone, that parameter."""
    found = {value: value for value in params}
    for step in all_steps(program.steps):
        found.update(
            (inner, found[outer])
            for inner, outer in zip(step.inner_operands, step.operands, strict=False)
            if outer in found
        )
    for step in _outside_in(program.steps):
        found.update(
            (inner, found[outer])
            for inner, outer in zip(step.inner_operands, step.operands, strict=False)
            if outer in found
        )
        arrays = [value for value in step.operands if value not in program.constants]
        own = {found.get(value) for value in arrays}
        if len(own) == 1 and None not in own and not step.body:
            found.update(dict.fromkeys(step.results, own.pop()))  # type: ignore
    return found


def _outside_in(steps: Iterable[Step]) -> Iterable[Step]:
    for step in steps:
        yield step
        yield from _outside_in(step.body)


class Multiplications(NamedTuple):
    """Those of one parameter, for all inputs.

    Attributes:
        before: with all indices.
        after: with those that are kept.
    """

    before: int
    after: int


def multiplications(
    program: Program, params: Sequence[int], kept: KeptOf
) -> dict[int, Multiplications]:
    """The multiply-adds of dense and convolutional layers, by parameter."""
    found = dict.fromkeys(params, Multiplications(0, 0))
    layer = sources(program, params)

    def add(steps: Iterable[Step], times: int) -> None:
        for step in steps:
            rounds = step.equation.params["length"] if step.name == "scan" else 1
            add(step.body, times * rounds)
            if step.name not in ("dot_general", "conv_general_dilated"):
                continue
            for value in step.operands:
                if value in layer:
                    old, own = found[layer[value]], _of_step(step, program, kept)
                    found[layer[value]] = Multiplications(
                        old.before + times * own.before, old.after + times * own.after
                    )
                    break

    add(program.steps, 1)
    return found


def _of_step(step: Step, program: Program, kept: KeptOf) -> Multiplications:
    both = []
    for sizes in (program.shape, lambda value: [int(own.sum()) for own in kept(value)]):
        results, operands = sizes(step.results[0]), [sizes(value) for value in step.operands]
        if step.name == "dot_general":
            ended = step.equation.params["dimension_numbers"][0][0]
            both.append(math.prod(results) * math.prod(operands[0][axis] for axis in ended))
        else:
            both.append(_of_convolution(step.equation.params, results, *operands))
    return Multiplications(*both)


def _of_convolution(
    params: dict[str, Any], results: Sequence[int], images: Sequence[int], kernel: Sequence[int]
) -> int:
    """Every weight at every position of the output; of the input along axes that it spreads."""
    numbers = params["dimension_numbers"]
    positions = list(results)
    spatial = zip(numbers.out_spec[2:], numbers.lhs_spec[2:], params["lhs_dilation"], strict=True)
    for out, into, spread in spatial:
        positions[out] = results[out] if spread == 1 else images[into]
    taps = math.prod(size for axis, size in enumerate(kernel) if axis != numbers.rhs_spec[0])
    return math.prod(positions) * taps


def batch_size(inputs: Any) -> int:
    """How many examples there are: the leading axis of the first array that has one."""
    return next((np.shape(x)[0] for x in jax.tree.leaves(inputs) if np.ndim(x)), 1) or 1


def constant_units(program: Program, known: Known, axes: Axes, found: Found) -> int:
    """How many classes that stay are of units that hold a constant other than 0."""
    classes = set()
    for step in all_steps(program.steps):
        if step.name not in ("dot_general", "conv_general_dilated"):
            continue
        for value in step.operands:
            fact = known.facts[value]
            if value not in known.flowing:
                continue
            for axis, indices in enumerate(axes.all_of(value)):
                if fact.alive.shape[axis] != len(indices) or len(indices) == 1:
                    continue
                others = tuple(i for i in range(fact.alive.ndim) if i != axis)
                held = fact.alive.any(others) & ~np.broadcast_to(fact.varies, fact.alive.shape).any(
                    others
                )
                kept = held & (found.reasons[indices] == USED)
                classes.update(found.classes[indices[kept]].tolist())
    return len(classes)
