"""Operations that move or pick elements, and put them side by side."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.wiring.constraints import GONE, USED, Constraint, Hold, Reasons, Sum, Tie, folds
from synflow_jax.wiring.facts import Fact, constant_fact, unknown
from synflow_jax.wiring.program import Program, Step
from synflow_jax.wiring.rule import Context, KeptOf, Rule, counts, nothing_known, rebound, unchanged


def each(fact: Fact, function: Any) -> Fact:
    """A function of an array applied to all that is known."""
    return Fact(*(function(part) for part in fact))


# Broadcasting


def _tie_broadcast(context: Context, step: Step) -> list[Constraint]:
    dims = step.equation.params["broadcast_dimensions"]
    return context.spread(step.operands[0], step.results[0], step, dict(enumerate(dims)))


def _fact_broadcast(step: Step, program: Program, fact: Fact, *rest: Fact) -> list[Fact]:
    rank = len(program.shape(step.results[0]))
    dims = step.equation.params["broadcast_dimensions"]

    def spread(part: np.ndarray) -> np.ndarray:
        shape = [1] * rank
        for axis, size in zip(dims, part.shape, strict=True):
            shape[axis] = size
        return part.reshape(shape)

    return [each(fact, spread)]


def _smaller_broadcast(step: Step, kept: KeptOf, *arrays: Any) -> Any:
    dims = step.equation.params["broadcast_dimensions"]
    return lax.broadcast_in_dim(arrays[0], counts(kept(step.results[0])), dims)


# Reshaping


def groups(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """The axes before and after a reshape that hold the same elements, in groups."""
    found, left, right = [], 0, 0
    while left < len(before) or right < len(after):
        ins, outs = [], []
        sizes = [1, 1]
        while True:
            if left < len(before) and (sizes[0] < sizes[1] or not ins):
                ins.append(left)
                sizes[0] *= before[left]
                left += 1
            elif right < len(after) and (sizes[1] < sizes[0] or not outs):
                outs.append(right)
                sizes[1] *= after[right]
                right += 1
            else:
                break
        # What is left over at the end are axes of size 1.
        found.append((ins, outs))
    return found


def _is_plain(step: Step, program: Program) -> bool:
    reordered = step.name == "reshape" and step.equation.params["dimensions"] is not None
    return not reordered and 0 not in (
        *program.shape(step.operands[0]),
        *program.shape(step.results[0]),
    )


def _tie_reshape(context: Context, step: Step) -> list[Constraint]:
    (operand, *_), (result,) = step.operands, step.results
    if not _is_plain(step, context.program):
        return [Hold(indices, step) for indices in context.axes.all_of(operand)]
    found: list[Constraint] = []
    for ins, outs in groups(context.program.shape(operand), context.program.shape(result)):
        left = [context.axes.of(operand, axis) for axis in ins]
        right = [context.axes.of(result, axis) for axis in outs]
        if len(left) == len(right) == 1:
            found.append(Tie(left[0], right[0]))
            continue
        found += folds(left, right)
        ones = [own for own in left if len(own) == 1]
        found += [Sum((own,), _if_used(context, result), step) for own in ones]
    return found


def _if_used(context: Context, value: int) -> Callable[[Reasons], list[np.ndarray]]:
    """Why an axis of size 1 stays that a value lacks: if the value has any elements left."""
    axes = context.axes.all_of(value)

    def need(reasons: Reasons) -> list[np.ndarray]:
        lowest = [reasons(own).min(initial=GONE) for own in axes]
        return [np.array([max(lowest, default=USED)])]

    return need


def _fact_reshape(step: Step, program: Program, fact: Fact) -> list[Fact]:
    before, after = program.shape(step.operands[0]), program.shape(step.results[0])
    order = step.equation.params["dimensions"] if step.name == "reshape" else None
    if order is not None:
        fact, before = each(fact, lambda part: part.transpose(order)), [before[i] for i in order]
    if 0 in (*before, *after):
        return nothing_known(step, program)
    pairs = groups(tuple(before), after)

    def reshaped(part: np.ndarray) -> np.ndarray:
        shape, result = list(part.shape), [1] * len(after)
        for ins, outs in pairs:
            if any(part.shape[axis] > 1 for axis in ins):
                for axis in ins:
                    shape[axis] = before[axis]
                for axis in outs:
                    result[axis] = after[axis]
        return np.broadcast_to(part, shape).reshape(result)

    return [each(fact, reshaped)]


def _smaller_reshape(step: Step, kept: KeptOf, *arrays: Any) -> Any:
    return jnp.reshape(arrays[0], counts(kept(step.results[0])))


# Other orders


def _tie_transpose(context: Context, step: Step) -> list[Constraint]:
    order = step.equation.params["permutation"]
    pairs = {source: axis for axis, source in enumerate(order)}
    return context.tied(step.operands[0], step.results[0], pairs)


def _fact_transpose(step: Step, program: Program, fact: Fact) -> list[Fact]:
    return [each(fact, lambda part: np.transpose(part, step.equation.params["permutation"]))]


def _tie_reverse(context: Context, step: Step) -> list[Constraint]:
    (operand,), (result,) = step.operands, step.results
    pairs = zip(context.axes.all_of(operand), context.axes.all_of(result), strict=True)
    turned = step.equation.params["dimensions"]
    return [Tie(a[::-1] if axis in turned else a, b) for axis, (a, b) in enumerate(pairs)]


def _fact_reverse(step: Step, program: Program, fact: Fact) -> list[Fact]:
    return [each(fact, lambda part: np.flip(part, step.equation.params["dimensions"]))]


# Side by side


def _tie_concatenate(context: Context, step: Step) -> list[Constraint]:
    (result,), axis = step.results, step.equation.params["dimension"]
    found: list[Constraint] = []
    start, whole = 0, context.axes.of(result, axis)
    for operand in step.operands:
        own = context.axes.of(operand, axis)
        found.append(Tie(own, whole[start : start + len(own)]))
        start += len(own)
        others = [i for i in range(len(context.program.shape(result))) if i != axis]
        found += context.tied(operand, result, {i: i for i in others})
    return found


def _side_by_side(facts: list[Fact], sizes: list[int], axis: int) -> Fact:
    def put(*parts: np.ndarray) -> np.ndarray:
        shape = list(
            np.broadcast_shapes(*([*p.shape[:axis], 1, *p.shape[axis + 1 :]] for p in parts))
        )
        wide = []
        for part, size in zip(parts, sizes, strict=True):
            shape[axis] = size
            wide.append(np.broadcast_to(part, shape))
        return np.concatenate(wide, axis)

    return Fact(*(put(*parts) for parts in zip(*facts, strict=True)))


def _fact_concatenate(step: Step, program: Program, *facts: Fact) -> list[Fact]:
    axis = step.equation.params["dimension"]
    sizes = [program.shape(operand)[axis] for operand in step.operands]
    return [_side_by_side(list(facts), sizes, axis)]


def _tie_stack(context: Context, step: Step) -> list[Constraint]:
    (result,), new = step.results, step.equation.params["axis"]
    found: list[Constraint] = [Hold(context.axes.of(result, new), None)]
    for operand in step.operands:
        rank = len(context.program.shape(operand))
        found += context.tied(operand, result, {i: i + (i >= new) for i in range(rank)})
    return found


def _fact_stack(step: Step, program: Program, *facts: Fact) -> list[Fact]:
    axis = step.equation.params["axis"]
    wide = [each(fact, lambda part: np.expand_dims(part, axis)) for fact in facts]
    return [_side_by_side(wide, [1] * len(facts), axis)]


def _tie_split(context: Context, step: Step) -> list[Constraint]:
    (operand,), axis = step.operands, step.equation.params["axis"]
    found: list[Constraint] = []
    start, whole = 0, context.axes.of(operand, axis)
    for result in step.results:
        own = context.axes.of(result, axis)
        found.append(Tie(own, whole[start : start + len(own)]))
        start += len(own)
        others = [i for i in range(len(context.program.shape(result))) if i != axis]
        found += context.tied(operand, result, {i: i for i in others})
    return found


def _fact_split(step: Step, program: Program, fact: Fact) -> list[Fact]:
    axis, sizes = step.equation.params["axis"], step.equation.params["sizes"]
    whole = program.shape(step.operands[0])[axis]
    parts = np.split(np.arange(whole), np.cumsum(sizes)[:-1])
    wide = each(fact, lambda part: np.repeat(part, whole, axis) if part.shape[axis] == 1 else part)
    return [Fact(*(np.take(part, positions, axis) for part in wide)) for positions in parts]


def _smaller_split(step: Step, kept: KeptOf, *arrays: Any) -> Any:
    axis = step.equation.params["axis"]
    sizes = [int(kept(result)[axis].sum()) for result in step.results]
    return jnp.split(arrays[0], np.cumsum(sizes)[:-1].tolist(), axis)


def _tie_tile(context: Context, step: Step) -> list[Constraint]:
    (operand,), (result,) = step.operands, step.results
    found: list[Constraint] = []
    for axis, own in enumerate(context.axes.all_of(operand)):
        copies = context.axes.of(result, axis).reshape(-1, max(1, len(own)))
        found += [Tie(own, copy) for copy in copies]
    return found


# Picked and padded


def _picked(step: Step, axis: int, size: int) -> np.ndarray:
    params = step.equation.params
    strides = params["strides"] or (1,) * len(params["start_indices"])
    return np.arange(size)[
        params["start_indices"][axis] : params["limit_indices"][axis] : strides[axis]
    ]


def _tie_slice(context: Context, step: Step) -> list[Constraint]:
    (operand,), (result,) = step.operands, step.results
    pairs = zip(context.axes.all_of(operand), context.axes.all_of(result), strict=True)
    return [Tie(a[_picked(step, axis, len(a))], b) for axis, (a, b) in enumerate(pairs)]


def _fact_slice(step: Step, program: Program, fact: Fact) -> list[Fact]:
    def sliced(part: np.ndarray) -> np.ndarray:
        for axis, size in enumerate(program.shape(step.operands[0])):
            if part.shape[axis] > 1:
                part = np.take(part, _picked(step, axis, size), axis)
        return part

    return [each(fact, sliced)]


def _smaller_slice(step: Step, kept: KeptOf, *arrays: Any) -> Any:
    kept_flags = []
    for axis, own in enumerate(kept(step.operands[0])):
        picked = np.zeros(len(own), bool)
        picked[_picked(step, axis, len(own))] = True
        kept_flags.append(picked[own])
    return taken(arrays[0], kept_flags)


def taken(array: Any, kept: Sequence[np.ndarray]) -> Any:
    """The kept indices of each axis; by one slice where they are evenly spaced."""
    bounds, others = [], {}
    for axis, own in enumerate(kept):
        where = np.flatnonzero(own)
        steps = set(np.diff(where).tolist()) or {1}
        if len(where) == 0:
            bounds.append((0, 0, 1))
        elif len(steps) == 1:
            bounds.append((int(where[0]), int(where[-1]) + 1, steps.pop()))
        else:
            bounds.append((0, len(own), 1))
            others[axis] = where
    if any(bound != (0, len(own), 1) for bound, own in zip(bounds, kept, strict=True)):
        array = lax.slice(array, *zip(*bounds, strict=True))
    for axis, where in others.items():
        array = jnp.take(array, where, axis=axis)
    return array


def _tie_pad(context: Context, step: Step) -> list[Constraint]:
    operand, result = step.operands[0], step.results[0]
    found: list[Constraint] = []
    for axis, (low, high, inner) in enumerate(step.equation.params["padding_config"]):
        own, padded = context.axes.of(operand, axis), context.axes.of(result, axis)
        if min(low, high) < 0 or inner:
            found += [Hold(own, step), Hold(padded, step)]
        else:
            found.append(Tie(own, padded[low : low + len(own)]))
    return found


def _fact_pad(step: Step, program: Program, fact: Fact, padding: Fact) -> list[Fact]:
    config, shape = step.equation.params["padding_config"], program.shape(step.operands[0])
    rank = len(shape)
    edge = each(padding, lambda part: part.reshape((1,) * rank))
    for axis, (low, high, inner) in enumerate(config):
        if min(low, high) < 0 or inner:
            fact = unknown(rank, fact.alive.any(axis, keepdims=True) | edge.alive)
        elif low or high:
            fact = _side_by_side([edge, fact, edge], [int(low), shape[axis], int(high)], axis)
    return [fact]


def _smaller_pad(step: Step, kept: KeptOf, *arrays: Any) -> Any:
    config = []
    for axis, (low, high, inner) in enumerate(step.equation.params["padding_config"]):
        own = kept(step.results[0])[axis]
        if own.all():
            config.append((low, high, inner))
        else:
            config.append((int(own[:low].sum()), int(own[len(own) - high :].sum()), 0))
    return lax.pad(arrays[0], arrays[1], config)


def _no_ties(context: Context, step: Step) -> list[Constraint]:
    del context, step
    return []


def _fact_iota(step: Step, program: Program, *facts: Fact) -> list[Fact]:
    aval = program.avals[step.results[0]]
    axis = step.equation.params["dimension"]
    shape = [1] * len(aval.shape)
    shape[axis] = aval.shape[axis]
    return [constant_fact(np.arange(aval.shape[axis]).astype(aval.dtype).reshape(shape))]


def _smaller_than_iota(step: Step, kept: KeptOf, *arrays: Any) -> Any:
    return taken(rebound(step, *arrays), kept(step.results[0]))


RULES: dict[str, Rule] = {
    "broadcast_in_dim": Rule(_tie_broadcast, _fact_broadcast, _smaller_broadcast),
    "concatenate": Rule(_tie_concatenate, _fact_concatenate, unchanged),
    "expand_dims": Rule(_tie_reshape, _fact_reshape, _smaller_reshape),
    "iota": Rule(_no_ties, _fact_iota, _smaller_than_iota),
    "pad": Rule(_tie_pad, _fact_pad, _smaller_pad),
    "reshape": Rule(_tie_reshape, _fact_reshape, _smaller_reshape),
    "rev": Rule(_tie_reverse, _fact_reverse, unchanged),
    "slice": Rule(_tie_slice, _fact_slice, _smaller_slice),
    "split": Rule(_tie_split, _fact_split, _smaller_split),
    "squeeze": Rule(_tie_reshape, _fact_reshape, _smaller_reshape),
    "stack": Rule(_tie_stack, _fact_stack, unchanged),
    "tile": Rule(_tie_tile, nothing_known, unchanged),
    "transpose": Rule(_tie_transpose, _fact_transpose, unchanged),
}
