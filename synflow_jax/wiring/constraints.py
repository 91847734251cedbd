"""What ties the indices of axes together: the constraints that an equation puts on them.

An *index* is one position of one axis of one value, held as a number; an axis is an array of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from synflow_jax.wiring.program import Program, Step

Indices = np.ndarray
"""Numbers of indices, int64 of shape ``(size of the axis,)``."""


class Tie(NamedTuple):
    """Indices that stay or go together, pair by pair.

    Attributes:
        left: the first of each pair, int64.
        right: the second of each, of the same shape.
    """

    left: Indices
    right: Indices


class Fold(NamedTuple):
    """Axes that are read as one, row by row, as the axes on the other side are.

    An index of the folded axis goes as soon as the index of one of its axes does.

    Attributes:
        left: the axes on one side, int64 each.
        right: those on the other, of which there are as many elements.
    """

    left: tuple[Indices, ...]
    right: tuple[Indices, ...]


class Hold(NamedTuple):
    """Indices that stay.

    Attributes:
        indices: int64.
        step: the one that isn't known to work without them; None for positions, such as rows and
            columns of an image, of which nobody expects that they go.
    """

    indices: Indices
    step: Step | None


class Sum(NamedTuple):
    """Axes that are added up: their indices stay where something is added to what stays.

    Attributes:
        indices: the axes that end, int64.
        need: ``need(reasons)`` gives for each of these axes the reasons to stay of its indices,
            from a function that gives those of an axis's indices.
        step: the one that adds up.
    """

    indices: tuple[Indices, ...]
    need: "Callable[[Reasons], list[np.ndarray]]"
    step: Step


Constraint = Tie | Fold | Hold | Sum

Reasons = Callable[[Indices], np.ndarray]
"""Why indices stay: a number each, int64; `GONE` where they don't. Lower ones are stronger."""

USED = 0
"""The reason of indices that the outputs depend on."""

GONE = np.iinfo(np.int64).max
"""No reason to stay."""


@dataclass
class Axes:
    """The indices of all axes of all values.

    Attributes:
        program: the values.
        starts: the number of the first index of each axis, by value.
        count: how many indices there are.
    """

    program: Program
    starts: list[list[int]]
    count: int

    def of(self, value: int, axis: int) -> Indices:
        """The indices of an axis."""
        start = self.starts[value][axis]  # axis -1 is the last
        return np.arange(start, start + self.program.shape(value)[axis])

    def all_of(self, value: int) -> list[Indices]:
        """The indices of each axis of a value."""
        return [self.of(value, axis) for axis in range(len(self.program.shape(value)))]

    def new(self, size: int) -> Indices:
        """An axis that no value has."""
        self.count += size
        return np.arange(self.count - size, self.count)


def axes_of(program: Program) -> Axes:
    """Numbers for the indices of all values' axes."""
    starts, count = [], 0
    for aval in program.avals:
        own = []
        for size in aval.shape:
            own.append(count)
            count += size
        starts.append(own)
    return Axes(program, starts, count)


def flat_indices(constraint: Constraint) -> list[Indices]:
    """The axes that a constraint is about."""
    match constraint:
        case Tie(left, right):
            return [left, right]
        case Fold(left, right):
            return [*left, *right]
        case Hold(indices, _):
            return [indices]
        case Sum(indices, _, _):
            return list(indices)


def folds(left: list[Indices], right: list[Indices]) -> list[Constraint]:
    """Axes on both sides that are read as one axis; a tie where there is one on each."""
    left, right = ([axis for axis in side if len(axis) != 1] for side in (left, right))
    if len(left) == len(right) == 1:
        return [Tie(left[0], right[0])]
    if not left and not right:
        return []
    return [Fold(tuple(left), tuple(right))]
