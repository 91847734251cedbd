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

PRODUCTS = frozenset(("dot_general", "conv_general_dilated"))
"""The operations of dense and convolutional layers."""


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


class Product(NamedTuple):
    """A product of a layer.

    Attributes:
        param: the parameter that its kernel is made of.
        kernel: the kernel.
        axes: the axes, by value and position, whose sizes multiplied are its multiply-adds.
        times: how often it's done.
    """

    param: int
    kernel: int
    axes: tuple[tuple[int, int], ...]
    times: int


def layer_products(program: Program, params: Sequence[int]) -> list[Product]:
    """The products of dense and convolutional layers, for all inputs."""
    layer = sources(program, params)
    found: list[Product] = []

    def add(steps: Iterable[Step], times: int) -> None:
        for step in steps:
            rounds = step.equation.params["length"] if step.name == "scan" else 1
            add(step.body, times * rounds)
            kernel = next((value for value in step.operands if value in layer), None)
            if step.name in PRODUCTS and kernel is not None:
                found.append(Product(layer[kernel], kernel, _axes(step, program), times))

    add(program.steps, 1)
    return found


def _axes(step: Step, program: Program) -> tuple[tuple[int, int], ...]:
    """Those of the result, and those that are added up.

    A transposed convolution takes every weight at every position of its input, which it spreads.
    """
    params, result = step.equation.params, step.results[0]
    numbers = params["dimension_numbers"]
    positions = [(result, axis) for axis in range(len(program.shape(result)))]
    if step.name == "dot_general":
        ended = [(step.operands[0], axis) for axis in numbers[0][0]]
    else:
        (images, kernel), out = step.operands, numbers.rhs_spec[0]
        ended = [(kernel, axis) for axis in range(len(program.shape(kernel))) if axis != out]
        spatial = zip(
            numbers.out_spec[2:], numbers.lhs_spec[2:], params["lhs_dilation"], strict=True
        )
        for axis, into, spread in spatial:
            if spread > 1:
                positions[axis] = (images, into)
    return (*positions, *ended)


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
    for product in layer_products(program, params):
        own = [kept(value)[axis] for value, axis in product.axes]
        before, after = found[product.param]
        found[product.param] = Multiplications(
            before + product.times * math.prod(map(len, own)),
            after + product.times * math.prod(int(each.sum()) for each in own),
        )
    return found


def batch_size(inputs: Any) -> int:
    """How many examples there are: the leading axis of the first array that has one."""
    return next((np.shape(x)[0] for x in jax.tree.leaves(inputs) if np.ndim(x)), 1) or 1


def constant_units(program: Program, known: Known, axes: Axes, found: Found) -> int:
    """How many classes that stay are of units that hold a constant other than 0."""
    classes = set()
    for step in all_steps(program.steps):
        if step.name not in PRODUCTS:
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
