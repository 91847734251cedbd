"""Finding the units of a network."""

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax import wiring
from synflow_jax.checks import called, check_callable, check_params, named_leaves, source_line
from synflow_jax.types import ApplyFn, Params
from synflow_jax.units.classes import Touched, UnitClass, Units
from synflow_jax.units.grouping import Grouping, grouped
from synflow_jax.units.layout import Cost, Layout, Term
from synflow_jax.units.roles import Role, roles


def units(apply_fn: ApplyFn, params: Params, inputs: Any) -> Units:
    """Which weights of a network go together as units: channels, neurons, heads, dimensions.

    A unit is one index of an axis of the network, with all weights that have that index: those of
    kernels that end in it and that lead out of it, biases, scales. Where axes are added up, as
    along a stage of residual blocks, their units are one. The function's jaxpr tells; see
    `compact` for the operations that are understood. Indices of inputs and outputs stay, and so do
    those of an operation that isn't understood, which ``print`` names with its line.

    Args:
        apply_fn: ``apply_fn(params, inputs)``, the network.
        params: a pytree of floating-point arrays, or of their shapes as ``jax.ShapeDtypeStruct``.
        inputs: an example, or its shapes as ``jax.ShapeDtypeStruct``.

    Returns:
        The `Units`, by class: the units of one axis.

    Raises:
        ValueError: ``apply_fn`` fails on the inputs, or no unit can go.
        TypeError: an argument is of another kind.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> def apply_fn(params, x):
    ...     return jax.nn.relu(x @ params["hidden"]) @ params["output"]
    >>> params = {"hidden": jnp.ones((4, 3)), "output": jnp.ones((3, 2))}
    >>> print(sf.units(apply_fn, params, jnp.ones((1, 4))))
    class      units  averaged  touches
    hidden[1]      3            hidden[1] out, output[0] in
    """
    check_callable("apply_fn", apply_fn, "params, inputs", "sf.from_nnx(model)[0]")
    leaves, treedef = jax.tree.flatten(params)
    check_params(params)
    avals = tuple(jax.ShapeDtypeStruct(jnp.shape(x), jnp.result_type(x)) for x in leaves)

    def flat(leaves: Any, inputs: Any) -> Any:
        return apply_fn(jax.tree.unflatten(treedef, leaves), inputs)

    program = called("apply_fn", lambda *args: wiring.traced(flat, *args), avals, inputs)
    found = _found(wiring.with_averages(program), len(avals))
    names = tuple(name for name, _ in named_leaves(params))
    classes, numbers = _classes(found, names)
    if not classes:
        held = "".join(f"; {count} indices are held by {where}" for where, count in _held(found))
        raise ValueError(f"no unit of the network can go: all are inputs or outputs{held}")
    layout = _layout(found, classes, numbers, wiring.batch_size(inputs))
    return Units(classes, _held(found), layout, treedef, avals, names)


class _Found(NamedTuple):
    """What is known of a network's indices.

    Attributes:
        axes: the indices.
        grouping: which go together.
        roles: of the axes of params.
        params: the values that are params.
    """

    axes: wiring.Axes
    grouping: Grouping
    roles: dict[tuple[int, int], set[Role]]
    params: tuple[int, ...]

    def units_of(self, value: int, axis: int) -> list[tuple[int, ...]]:
        """For each index of an axis the classes without which it goes."""
        return [self.grouping.units_of(index) for index in self.axes.of(value, axis)]

    def leaf_axes(self) -> Iterator[tuple[int, int]]:
        """The axes of all params, by value and position."""
        for value in self.params:
            for axis in range(len(self.axes.program.shape(value))):
                yield value, axis


def _found(program: wiring.Program, count: int) -> _Found:
    params, rest = program.inputs[:count], program.inputs[count:]
    facts = [wiring.unknown(len(program.shape(value))) for value in program.inputs]
    known = wiring.learned(program, facts, rest)
    axes = wiring.axes_of(program)
    constraints = wiring.held(axes, [*rest, *program.outputs], None)
    constraints += wiring.constraints_of(wiring.Context(axes, known, False))
    return _Found(
        axes, grouped(constraints, axes), roles(axes, constraints, known.flowing, params), params
    )


Touch = tuple[int, int, int]
"""A parameter's value, an axis of it, and which of the units of its indices."""


def _classes(found: _Found, names: Sequence[str]) -> tuple[tuple[UnitClass, ...], dict[int, int]]:
    """The classes of units, and the number of each unit by its class of indices."""
    touched: dict[int, set[Touch]] = {}
    whole: set[int] = set()  # in all indices of an axis, such as a kernel's rows: nothing but it
    for value, axis in found.leaf_axes():
        indices = found.units_of(value, axis)
        whole |= set.intersection(*map(set, indices)) if len(indices) > 1 else set()
        for own in indices:
            for position, unit in enumerate(own):
                touched.setdefault(unit, set()).add((value, axis, position))
    members: dict[tuple[Touch, ...], list[int]] = {}
    for unit, touches in touched.items():
        if unit not in whole and any(
            "out" in found.roles[value, axis] for value, axis, _ in touches
        ):
            members.setdefault(tuple(sorted(touches)), []).append(unit)
    name_of = dict(zip(found.params, names, strict=True))
    averaged = _averaged(found)
    classes: list[UnitClass] = []
    numbers: dict[int, int] = {}
    for places, own in members.items():
        axes = dict.fromkeys((value, axis) for value, axis, _ in places)
        touches = tuple(
            Touched(name_of[value], axis, _role(found.roles[value, axis])) for value, axis in axes
        )
        first = next((each for each in touches if each.role == "out"), touches[0])
        name = _unused(f"{first.name}[{first.axis}]", [each.name for each in classes])
        classes.append(UnitClass(name, len(own), len(numbers), touches, own[0] in averaged))
        numbers.update(zip(own, range(len(numbers), len(numbers) + len(own)), strict=True))
    return tuple(classes), numbers


def _unused(name: str, names: Sequence[str]) -> str:
    """The name, with a number if others have it already."""
    numbered = itertools.chain([name], (f"{name} {number}" for number in itertools.count(2)))
    return next(each for each in numbered if each not in names)


def _role(own: set[Role]) -> str:
    return "both" if len(own) == 2 else next(iter(own), "")


def _averaged(found: _Found) -> set[int]:
    """The classes over which averages are taken."""
    return {
        unit
        for step in found.axes.program.averages
        for axis in wiring.ended_axes(step)
        for own in found.units_of(step.operands[0], axis)
        for unit in own
    }


def _held(found: _Found) -> tuple[tuple[str, int], ...]:
    """How many indices in which weights end each step holds."""
    counts: dict[str, int] = {}
    for value, axis in found.leaf_axes():
        if "out" in found.roles[value, axis]:
            own = found.grouping.classes[found.axes.of(value, axis)]
            for reason in found.grouping.held[own].tolist():
                step = found.grouping.holders[reason - 1] if reason else None
                if step is not None:
                    where = f"'{step.name}' at {source_line(step)}"
                    counts[where] = counts.get(where, 0) + 1
    return tuple(counts.items())


def _layout(
    found: _Found, classes: Sequence[UnitClass], numbers: dict[int, int], batch: int
) -> Layout:
    """Where the units are, and the sizes that depend on them."""
    arrays: dict[bytes, tuple[int, np.ndarray]] = {}

    @functools.cache
    def position(value: int, axis: int) -> int | None:
        """Where the axis is in the layout."""
        own = [[numbers[u] for u in each if u in numbers] for each in found.units_of(value, axis)]
        if not any(own):
            return None
        width = max(map(len, own))
        padded = [each + [len(numbers)] * (width - len(each)) for each in own]
        array = np.array(padded, np.int32)
        key = array.tobytes() + bytes([width])
        return arrays.setdefault(key, (len(arrays), array))[0]

    def term(axes: Iterable[tuple[int, int]], factor: int = 1) -> Term:
        used = []
        for value, axis in axes:
            if position(value, axis) is None:
                factor *= found.axes.program.shape(value)[axis]
            else:
                used.append(position(value, axis))
        return Term(factor, tuple(used))

    program = found.axes.program
    ranks = {value: range(len(program.shape(value))) for value in found.params}
    leaves = tuple(tuple(position(value, axis) for axis in ranks[value]) for value in found.params)
    weights = tuple(term((value, axis) for axis in ranks[value]) for value in found.params)
    products = wiring.layer_products(program, found.params)
    multiplications = tuple(term(product.axes, product.times) for product in products)
    axes = tuple(array for _, array in arrays.values())
    class_of = np.repeat(np.arange(len(classes)), [each.size for each in classes])
    return Layout(
        axes=axes,
        leaves=leaves,
        scored=_scored(found, leaves, axes, class_of),
        class_of=class_of,
        weights=Cost(weights, 1),
        multiplications=Cost(multiplications, batch),
    )


def _scored(
    found: _Found,
    leaves: Sequence[tuple[int | None, ...]],
    axes: Sequence[np.ndarray],
    class_of: np.ndarray,
) -> tuple[tuple[int, int, np.ndarray], ...]:
    """The weights that end in units; those that lead out of them too only where no others end."""
    plain: list[tuple[int, int, np.ndarray]] = []
    both: list[tuple[int, int, np.ndarray]] = []
    for leaf, (value, positions) in enumerate(zip(found.params, leaves, strict=True)):
        for axis, position in enumerate(positions):
            own = found.roles[value, axis]
            if position is not None and "out" in own:
                (both if "in" in own else plain).append((leaf, axis, axes[position]))
    none = len(class_of)
    ended = np.zeros(none + 1, bool)
    for *_, own in plain:
        ended[own] = True
    both = [(leaf, axis, np.where(ended[own], none, own)) for leaf, axis, own in both]
    return (*plain, *(each for each in both if (each[2] != none).any()))
