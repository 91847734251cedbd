"""Whether weights end in the units of an axis or lead out of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np

from synflow_jax import wiring

Role = Literal["in", "out"]
"""What an axis of a kernel is to the units that it has indices for: its weights lead out of them,
or they end in them, as those of a convolution do in its output channels."""


def roles(
    axes: wiring.Axes,
    constraints: Iterable[wiring.Constraint],
    flowing: set[int],
    params: Sequence[int],
) -> dict[tuple[int, int], set[Role]]:
    """The roles of each axis of each parameter, by value and position.

    An axis is what it is in the product that a kernel is used in, through all that is done to the
    kernel before: reshapes, transposes, sums with others.

    Args:
        axes: the indices of all values.
        constraints: on them.
        flowing: the values that depend on the inputs.
        params: the values that are params.
    """
    program = axes.program
    starts = np.array([s for own in axes.starts for s in own] or [0])
    joined = wiring.tied_classes([_edges(constraints, axes, starts, flowing)], len(starts))

    def component(start: int) -> int:
        return int(joined[np.searchsorted(starts, start, "right") - 1])

    found: dict[int, set[Role]] = {}
    for step in wiring.all_steps(program.steps):
        for value, axis, role in _used(step, flowing, program):
            found.setdefault(component(axes.starts[value][axis]), set()).add(role)
    return {
        (value, axis): found.get(component(start), set())
        for value in params
        for axis, start in enumerate(axes.starts[value])
    }


def _edges(
    constraints: Iterable[wiring.Constraint],
    axes: wiring.Axes,
    starts: np.ndarray,
    flowing: set[int],
) -> wiring.Tie:
    """Which axes become each other, among values that don't depend on the inputs."""
    fixed = np.array([v not in flowing for v, own in enumerate(axes.starts) for _ in own] or [True])
    pairs = []
    for each in constraints:
        if isinstance(each, wiring.Tie):
            pairs.append((each.left, each.right))
        elif isinstance(each, wiring.Fold):
            pairs += [(a, b) for a in each.left for b in each.right]
    filled = [(a[0], b[0]) for a, b in pairs if len(a) and len(b)]
    ends = np.searchsorted(starts, np.array(filled).reshape(-1, 2), "right") - 1
    ends = ends[fixed[ends].all(-1)]
    return wiring.Tie(ends[:, 0], ends[:, 1])


def _used(
    step: wiring.Step, flowing: set[int], program: wiring.Program
) -> Iterator[tuple[int, int, Role]]:
    """The axes of kernels in a step, and what they are there."""
    for position, value in enumerate(step.operands):
        if value in flowing or flowing.isdisjoint(step.operands):
            continue
        rank = len(program.shape(value))
        if step.name == "dot_general":
            ended, batch = step.equation.params["dimension_numbers"]
            for axis in range(rank):
                if axis not in ended[position]:
                    yield value, axis, "out"
                if axis in (*ended[position], *batch[position]):
                    yield value, axis, "in"
        elif step.name == "conv_general_dilated" and position == 1:
            out, within, *_ = step.equation.params["dimension_numbers"].rhs_spec
            yield value, out, "out"
            yield value, within, "in"
            if program.shape(value)[within] == 1 < step.equation.params["feature_group_count"]:
                yield value, out, "in"
        elif step.name == "gather" and position == 0:
            numbers = step.equation.params["dimension_numbers"]
            gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
            for axis in range(rank):
                if axis not in gone:
                    yield value, axis, "out"
