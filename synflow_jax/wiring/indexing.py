"""Reading and writing at positions: axes taken whole keep their indices, the others stay whole."""

from typing import Any

from synflow_jax.wiring.constraints import Constraint, Hold
from synflow_jax.wiring.facts import Fact, unknown
from synflow_jax.wiring.program import Program, Step
from synflow_jax.wiring.rule import Context, KeptOf, Rule, counts, nothing_known, rebound, unchanged

Pairs = dict[int, int]


def _held(context: Context, value: int, step: Step, but: Any = ()) -> list[Constraint]:
    """All axes but some stay: as positions, where the inputs say which are taken."""
    by_inputs = not context.known.flowing.isdisjoint(step.operands[1:])
    axes = enumerate(context.axes.all_of(value))
    return [Hold(own, None if by_inputs else step) for axis, own in axes if axis not in but]


def _tie_windows(
    context: Context, step: Step, whole: int, part: int, pairs: Pairs
) -> list[Constraint]:
    """Axes of a value tied to the whole ones of its parts; all its others stay."""
    shapes = context.program.shape(whole), context.program.shape(part)
    pairs = {a: b for a, b in pairs.items() if shapes[0][a] == shapes[1][b]}
    found = context.tied(whole, part, pairs) + _held(context, whole, step, pairs)
    return found


# Gathering


def _gathered(step: Step, shape: tuple[int, ...]) -> tuple[Pairs, list[int]]:
    """Axes of the operand that are taken whole, by axis of the result; the result's others."""
    params = step.equation.params
    numbers, sizes = params["dimension_numbers"], params["slice_sizes"]
    left_out = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    windows = [axis for axis in range(len(shape)) if axis not in left_out]
    pairs = dict(zip(windows, numbers.offset_dims, strict=True))
    moved = numbers.start_index_map
    pairs = {a: b for a, b in pairs.items() if sizes[a] == shape[a] and a not in moved}
    rank = len(numbers.offset_dims) + len(step.equation.invars[1].aval.shape) - 1  # type: ignore
    return pairs, [axis for axis in range(rank) if axis not in numbers.offset_dims]


def _tie_gather(context: Context, step: Step) -> list[Constraint]:
    (operand, indices), (result,) = step.operands, step.results
    pairs, others = _gathered(step, context.program.shape(operand))
    numbers = step.equation.params["dimension_numbers"]
    batching = zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True)
    found = context.tied(operand, indices, dict(batching))
    found += context.tied(operand, result, pairs)
    found += _held(context, operand, step, {*pairs, *numbers.operand_batching_dims})
    found += context.tied(indices, result, dict(enumerate(others)))
    last = len(context.program.shape(indices)) - 1
    return [*found, Hold(context.axes.of(indices, last), step)]


def _fact_gather(step: Step, program: Program, operand: Fact, indices: Fact) -> list[Fact]:
    shape, rank = program.shape(step.operands[0]), len(program.shape(step.results[0]))
    pairs, _ = _gathered(step, shape)
    if step.equation.params["fill_value"] not in (None, 0):
        return nothing_known(step, program)
    return [unknown(rank, _spread(operand.alive, pairs, rank))]


def _spread(alive: Any, pairs: Pairs, rank: int) -> Any:
    """Where a part is alive, by the axes that it has whole, in rising order on both sides."""
    others = tuple(axis for axis in range(alive.ndim) if axis not in pairs)
    left = alive.any(others)
    shape = [1] * rank
    for size, axis in zip(left.shape, pairs.values(), strict=True):
        shape[axis] = size
    return left.reshape(shape)


def _smaller_gather(step: Step, kept: KeptOf, *arrays: Any) -> Any:
    own = kept(step.operands[0])
    sizes = step.equation.params["slice_sizes"]
    whole = [
        int(keep.sum()) if size == len(keep) else size
        for size, keep in zip(sizes, own, strict=True)
    ]
    return rebound(step, *arrays, slice_sizes=tuple(whole))


# Slices at positions that aren't known when tracing


def _tie_dynamic_slice(context: Context, step: Step) -> list[Constraint]:
    (operand, *_), (result,) = step.operands, step.results
    pairs = {axis: axis for axis in range(len(context.program.shape(operand)))}
    return _tie_windows(context, step, operand, result, pairs)


def _fact_dynamic_slice(step: Step, program: Program, fact: Fact, *starts: Fact) -> list[Fact]:
    before, after = program.shape(step.operands[0]), program.shape(step.results[0])
    whole = [axis for axis in range(len(before)) if before[axis] == after[axis]]
    return [unknown(len(after), _spread(fact.alive, {axis: axis for axis in whole}, len(after)))]


def _smaller_dynamic_slice(step: Step, kept: KeptOf, *arrays: Any) -> Any:
    sizes = counts(kept(step.results[0]))
    return rebound(step, *arrays, slice_sizes=sizes)


def _tie_update(context: Context, step: Step) -> list[Constraint]:
    (operand, update, *_), (result,) = step.operands, step.results
    axes = {axis: axis for axis in range(len(context.program.shape(operand)))}
    return context.tied(operand, result, axes) + _tie_windows(context, step, operand, update, axes)


def _fact_update(
    step: Step, program: Program, operand: Fact, update: Fact, *starts: Fact
) -> list[Fact]:
    whole, part = (program.shape(value) for value in step.operands[:2])
    pairs = {axis: axis for axis in range(len(whole)) if whole[axis] == part[axis]}
    return [unknown(len(whole), operand.alive | _spread(update.alive, pairs, len(whole)))]


# Scattering


def _scattered(step: Step, rank: int) -> Pairs:
    """Axes of the operand that updates have whole, and those of the updates."""
    numbers = step.equation.params["dimension_numbers"]
    left_out = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
    windows = [axis for axis in range(rank) if axis not in left_out]
    moved = numbers.scatter_dims_to_operand_dims
    pairs = zip(windows, numbers.update_window_dims, strict=True)
    return {a: b for a, b in pairs if a not in moved}


def _tie_scatter(context: Context, step: Step) -> list[Constraint]:
    (operand, _, update), (result,) = step.operands, step.results
    rank = len(context.program.shape(operand))
    found = context.tied(operand, result, {axis: axis for axis in range(rank)})
    return found + _tie_windows(context, step, operand, update, _scattered(step, rank))


def _fact_scatter(
    step: Step, program: Program, operand: Fact, indices: Fact, update: Fact
) -> list[Fact]:
    whole, part = program.shape(step.operands[0]), program.shape(step.operands[2])
    pairs = {b: a for a, b in _scattered(step, len(whole)).items() if whole[a] == part[b]}
    return [unknown(len(whole), operand.alive | _spread(update.alive, pairs, len(whole)))]


RULES: dict[str, Rule] = {
    "dynamic_slice": Rule(_tie_dynamic_slice, _fact_dynamic_slice, _smaller_dynamic_slice),
    "dynamic_update_slice": Rule(_tie_update, _fact_update, unchanged),
    "gather": Rule(_tie_gather, _fact_gather, _smaller_gather),
    **dict.fromkeys(("scatter", "scatter-add"), Rule(_tie_scatter, _fact_scatter, unchanged)),
}
