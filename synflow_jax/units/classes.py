"""Classes of units: what prunes together, what it touches, and what is left without some."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

from synflow_jax.units.layout import Cost, Layout, exact


class Touched(NamedTuple):
    """An axis of a parameter that has indices for units of a class.

    Attributes:
        name: the parameter's, such as ``"conv1/kernel"``.
        axis: which of its axes, from 0.
        role: ``"out"`` if its weights end in the units, ``"in"`` if they lead out of them,
            ``"both"`` if they do both (a depthwise kernel), ``""`` if it's in no product.
    """

    name: str
    axis: int
    role: str


class UnitClass(NamedTuple):
    """The units of one axis: channels, neurons, heads or dimensions of heads.

    Attributes:
        name: the first parameter whose weights end in them.
        size: how many units there are.
        first: the number of its first unit; they are numbered in a row.
        touches: the axes with indices for them.
        averaged: whether normalization takes averages over them, so that their removal changes
            what is left; see `compact`'s ``averages``.
    """

    name: str
    size: int
    first: int
    touches: tuple[Touched, ...]
    averaged: bool


@dataclass(frozen=True, eq=False, repr=False)
class Units:
    """What `units` returns; ``print`` shows it as a table.

    Attributes:
        classes: which weights go together, class by class.
        held: operation and source line, and how many indices of params it doesn't let go.
        _layout: where the units are in the params, and what they cost.
        _treedef: the params' structure.
        _avals: shape and type of each leaf.
        _names: of the leaves.
    """

    classes: tuple[UnitClass, ...]
    held: tuple[tuple[str, int], ...]
    _layout: Layout = field(repr=False)
    _treedef: Any = field(repr=False)
    _avals: tuple[jax.ShapeDtypeStruct, ...] = field(repr=False)
    _names: tuple[str, ...] = field(repr=False)

    @property
    def size(self) -> int:
        """How many units there are in all classes."""
        return sum(each.size for each in self.classes)

    @property
    def weights(self) -> int:
        """How many numbers all params hold."""
        return self._total(self._layout.weights)

    @property
    def multiplications(self) -> int:
        """Multiply-adds of dense and convolutional layers for one input."""
        return self._total(self._layout.multiplications)

    def _total(self, cost: Cost) -> int:
        return int(exact(cost, self._layout, np.ones(self.size, bool)))

    def __str__(self) -> str:
        rows = [("class", "units", "averaged", "touches")]
        for each in self.classes:
            averaged = "yes" if each.averaged else ""
            rows.append((each.name, f"{each.size:,}", averaged, _touches(each)))
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [
            f"{name:<{widths[0]}}  {size:>{widths[1]}}  {averaged:<{widths[2]}}  {touches}".rstrip()
            for name, size, averaged, touches in rows
        ]
        return "\n".join([*lines, *(f"{n} indices held by {where}" for where, n in self.held)])

    def __repr__(self) -> str:
        return f"Units(\n{self}\n)"


def _touches(own: UnitClass) -> str:
    first = [f"{name}[{axis}] {role}" for name, axis, role in own.touches if role][:4]
    others = len(own.touches) - len(first)
    return ", ".join([*first, *([f"{others} others"] if others else [])])
