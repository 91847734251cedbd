"""Products that add up: matrix products of any form, and convolutions."""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from synflow_jax.wiring.constraints import GONE, Constraint, Hold, Indices, Reasons, Sum, folds
from synflow_jax.wiring.facts import Fact, unknown
from synflow_jax.wiring.program import Program, Step
from synflow_jax.wiring.reductions import least
from synflow_jax.wiring.rule import Context, KeptOf, Rule, counts, rebound, unchanged

# Matrix products


class Sides(NamedTuple):
    """The axes of the operands of a matrix product.

    Attributes:
        batch: of both, in pairs.
        free: those of each operand that the result has.
        ended: of both, in pairs; those that are added up.
    """

    batch: tuple[tuple[int, ...], ...]
    free: tuple[tuple[int, ...], ...]
    ended: tuple[tuple[int, ...], ...]


def _sides(step: Step, program: Program) -> Sides:
    ended, batch = step.equation.params["dimension_numbers"]
    free = []
    for value, used, shared in zip(step.operands, ended, batch, strict=True):
        rank = len(program.shape(value))
        free.append(tuple(axis for axis in range(rank) if axis not in (*used, *shared)))
    pairs = [tuple(tuple(axes) for axes in both) for both in (batch, free, ended)]
    return Sides(*pairs)


def _matched(alive: list[Any], sides: Sides) -> list[Any]:
    """The patterns of both operands with axes that end of one size: 1 if either's is 1."""
    one, other = alive
    for a, b in zip(*sides.ended, strict=True):
        if one.shape[a] != other.shape[b]:
            if one.shape[a] == 1:
                other = other.any(b, keepdims=True)
            else:
                one = one.any(a, keepdims=True)
    return [one, other]


def _tie_dot(context: Context, step: Step) -> list[Constraint]:
    sides, axes = _sides(step, context.program), context.axes
    (one, other), (result,) = step.operands, step.results
    found = context.tied(one, other, dict(zip(*sides.batch, strict=True)))
    found += context.tied(one, result, {a: i for i, a in enumerate(sides.batch[0])})
    start = len(sides.batch[0])
    for value, free in zip(step.operands, sides.free, strict=True):
        found += context.tied(value, result, {a: start + i for i, a in enumerate(free)})
        start += len(free)
    found += context.tied(one, other, dict(zip(*sides.ended, strict=True)))
    ends = tuple(axes.of(one, axis) for axis in sides.ended[0])
    if context.retraced and context.known.flowing.issuperset(step.operands):
        return [*found, *(Hold(indices, step) for indices in ends)]

    def need(reasons: Reasons) -> list[np.ndarray]:
        return _needed_of_both(context, step, sides, reasons)

    return [*found, Sum(ends, need, step)]


def _needed_of_both(
    context: Context, step: Step, sides: Sides, reasons: Reasons
) -> list[np.ndarray]:
    """Why the indices of the axes that end stay: of results that a product of theirs adds to."""
    pattern = []
    for value, batch, free, ended in zip(step.operands, *sides, strict=True):
        own = {axis: reasons(context.axes.of(value, axis)) for axis in (*batch, *free)}
        pattern.append(_least_over(context.alive(value), batch, free, ended, own))
    # By batch index and index of the axes that end: both sides must be alive there.
    both = np.maximum(*pattern)
    joint = both.min(tuple(range(len(sides.batch[0]))), initial=GONE)
    shape = context.program.shape(step.operands[0])
    joint = np.broadcast_to(joint, [shape[axis] for axis in sides.ended[0]])
    return [
        joint.min(tuple(i for i in range(joint.ndim) if i != axis), initial=GONE)
        for axis in range(joint.ndim)
    ]


def _least_over(
    part: np.ndarray,
    batch: tuple[int, ...],
    free: tuple[int, ...],
    ended: tuple[int, ...],
    reasons: dict[int, np.ndarray],
) -> np.ndarray:
    """The lowest reasons of an operand's elements that are alive, without its free axes.

    Of shape (batch axes, axes that end).
    """
    ordered = np.transpose(part, (*batch, *ended, *free))
    kept = ordered.shape[: len(batch) + len(ended)]
    flat = ordered.reshape((*kept, math.prod(ordered.shape[len(kept) :])))
    together = np.zeros((1,) * len(free), np.int64)
    for i, axis in enumerate(free):
        own = reasons[axis]
        if part.shape[axis] == 1:
            own = own.min(initial=GONE, keepdims=True)
        together = np.maximum(
            together, own.reshape([-1 if j == i else 1 for j in range(len(free))])
        )
    found = least(flat, together.reshape(-1), flat.ndim - 1)
    for i, axis in enumerate(batch):
        own = reasons[axis]
        if part.shape[axis] == 1:
            own = own.min(initial=GONE, keepdims=True)
        found = np.maximum(found, own.reshape([-1 if j == i else 1 for j in range(len(kept))]))
    return found


def _fact_dot(step: Step, program: Program, *facts: Fact) -> list[Fact]:
    sides = _sides(step, program)
    one, other = _matched([fact.alive for fact in facts], sides)
    (b1, b2), (f1, f2), (e1, e2) = sides
    left, right = np.transpose(one, (*b1, *f1, *e1)), np.transpose(other, (*b2, *e2, *f2))
    n, m = len(b1), len(f1)
    batch, rows, ended = left.shape[:n], left.shape[n : n + m], left.shape[n + m :]
    columns = right.shape[n + len(e2) :]
    a = left.reshape(*batch, math.prod(rows), math.prod(ended))
    b = right.reshape(*right.shape[:n], math.prod(ended), math.prod(columns))
    alive = np.matmul(a.astype(np.float32), b.astype(np.float32)) > 0
    shape = (*alive.shape[:n], *rows, *columns)
    return [unknown(len(shape), alive.reshape(shape))]


# Convolutions


class Layout(NamedTuple):
    """The axes and groups of a convolution.

    Attributes:
        batch: of the input, the axis of examples.
        channels: of the input.
        kernel_in: of the kernel, the axis of input channels within a group.
        kernel_out: of the kernel, the axis of output channels of all groups.
        out_batch: of the output, the axis of examples.
        out_channels: of the output.
        groups: how many parts the channels are divided in.
    """

    batch: int
    channels: int
    kernel_in: int
    kernel_out: int
    out_batch: int
    out_channels: int
    groups: int


def _layout(step: Step) -> Layout:
    numbers = step.equation.params["dimension_numbers"]
    return Layout(
        batch=numbers.lhs_spec[0],
        channels=numbers.lhs_spec[1],
        kernel_in=numbers.rhs_spec[1],
        kernel_out=numbers.rhs_spec[0],
        out_batch=numbers.out_spec[0],
        out_channels=numbers.out_spec[1],
        groups=step.equation.params["feature_group_count"],
    )


def _tie_conv(context: Context, step: Step) -> list[Constraint]:
    at, axes = _layout(step), context.axes
    (inputs, kernel), (result,) = step.operands, step.results
    if step.equation.params["batch_group_count"] != 1:
        return [Hold(each, step) for value in step.operands for each in axes.all_of(value)]
    used = {inputs: (at.batch, at.channels), kernel: (at.kernel_in, at.kernel_out)}
    used[result] = (at.out_batch, at.out_channels)
    found: list[Constraint] = [
        Hold(indices, None)
        for value in used
        for axis, indices in enumerate(axes.all_of(value))
        if axis not in used[value]
    ]
    found += context.tied(inputs, result, {at.batch: at.out_batch})
    found += context.tied(kernel, result, {at.kernel_out: at.out_channels})
    channels, outs = axes.of(inputs, at.channels), axes.of(kernel, at.kernel_out)
    within = axes.of(kernel, at.kernel_in)
    if at.groups == 1:
        found += folds([channels], [within])
    else:
        group, own = axes.new(at.groups), axes.new(len(outs) // at.groups)
        found += folds([group, within], [channels])
        found += folds([group, own], [outs])
    return [*found, Sum((channels,), _need_of_channels(context, step, at, outs), step)]


def _need_of_channels(context: Context, step: Step, at: Layout, outs: Indices) -> Any:
    inputs, kernel = (context.alive(value) for value in step.operands)
    size = context.program.shape(step.operands[0])[at.channels]
    alive = np.broadcast_to(_of_axes(inputs, at.channels), (size,)).reshape(at.groups, -1)
    pattern = _kernel_pattern(kernel, at, context.program.shape(step.operands[1]), at.groups)

    def need(reasons: Reasons) -> list[np.ndarray]:
        by_group = reasons(outs).reshape(at.groups, -1)
        lowest = [least(own, why, 1) for own, why in zip(pattern, by_group, strict=True)]
        return [np.where(alive, np.stack(lowest), GONE).reshape(-1)]

    return need


def _of_axes(pattern: Any, *axes: int) -> np.ndarray:
    """A pattern along these axes, in their order; any of the others."""
    left = pattern.any(tuple(i for i in range(pattern.ndim) if i not in axes))
    return np.transpose(left, [sorted(axes).index(axis) for axis in axes])


def _kernel_pattern(alive: Any, at: Layout, shape: tuple[int, ...], groups: int) -> np.ndarray:
    """Where a kernel is alive, by group of output channels, input channel and output channel."""
    flat = _of_axes(alive, at.kernel_in, at.kernel_out)
    flat = np.broadcast_to(flat, (shape[at.kernel_in], shape[at.kernel_out]))
    return flat.reshape(flat.shape[0], groups, -1).transpose(1, 0, 2)


def _fact_conv(step: Step, program: Program, inputs: Fact, kernel: Fact) -> list[Fact]:
    """Alive by example and output channel; along all other axes anywhere if somewhere."""
    at, rank = _layout(step), inputs.alive.ndim
    by_example = step.equation.params["batch_group_count"]
    groups = max(at.groups, by_example)
    images, shape = _of_axes(inputs.alive, at.batch, at.channels), program.shape(step.operands[0])
    examples = shape[at.batch] if by_example > 1 else len(images)
    images = np.broadcast_to(images, (examples, shape[at.channels]))
    if by_example > 1:
        by_group = images.reshape(groups, -1, images.shape[1])
    else:
        by_group = images.reshape(examples, groups, -1).transpose(1, 0, 2)
    pattern = _kernel_pattern(kernel.alive, at, program.shape(step.operands[1]), groups)
    found = np.matmul(by_group.astype(np.float32), pattern.astype(np.float32)) > 0
    found = found.transpose(1, 0, 2).reshape(found.shape[1], -1)
    axes = [axis for axis in range(rank) if axis not in (at.out_batch, at.out_channels)]
    found = found if at.out_batch < at.out_channels else found.T
    return [unknown(rank, np.expand_dims(found, axes))]


def groups_left(step: Step, kept: KeptOf) -> int:
    """How many of a convolution's groups are left."""
    at = _layout(step)
    channels = kept(step.operands[0])[at.channels]
    return int(channels.reshape(at.groups, -1).any(1).sum())


def _smaller_conv(step: Step, kept: KeptOf, *arrays: Any) -> Any:
    at = _layout(step)
    if at.groups == 1:
        return rebound(step, *arrays)
    left = groups_left(step, kept)
    if left == 0:
        return jnp.zeros(counts(kept(step.results[0])), arrays[0].dtype)
    return rebound(step, *arrays, feature_group_count=left)


RULES: dict[str, Rule] = {
    "conv_general_dilated": Rule(_tie_conv, _fact_conv, _smaller_conv),
    "dot_general": Rule(_tie_dot, _fact_dot, unchanged),
}
