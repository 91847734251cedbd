"""Which indices stay, and which must go with those that went."""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from synflow_jax.wiring.constraints import (
    GONE,
    USED,
    Constraint,
    Fold,
    Hold,
    Indices,
    Reasons,
    Sum,
    Tie,
)
from synflow_jax.wiring.program import Step


class Kept(NamedTuple):
    """Why indices stay.

    Attributes:
        reasons: for each index `USED`, the position in ``holders`` plus 1, or `GONE`.
        classes: for each index the number of its class.
        holders: the steps that hold indices back; None stands for arguments.
    """

    reasons: np.ndarray
    classes: np.ndarray
    holders: list[Step | None]


def tied_classes(constraints: Iterable[Constraint], count: int) -> np.ndarray:
    """For each index the number of its class: of those that are tied to each other."""
    # Importing it takes a third of a second, which only those wait for who need it.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ties = [each for each in constraints if isinstance(each, Tie)]
    left = np.concatenate([tie.left for tie in ties]) if ties else np.zeros(0, int)
    right = np.concatenate([tie.right for tie in ties]) if ties else np.zeros(0, int)
    graph = coo_array((np.ones(len(left), bool), (left, right)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def smallest(constraints: Sequence[Constraint], count: int, used: Iterable[Indices]) -> Kept:
    """The fewest indices that can stay, if these are used.

    Starting from those that are used or held, what they need is added until nothing is missing.
    """
    classes = tied_classes(constraints, count)
    reasons = np.full(classes.max(initial=-1) + 1, GONE)
    holders: list[Step | None] = []
    for indices in used:
        reasons[classes[indices]] = USED
    for each in constraints:
        if isinstance(each, Hold):
            if each.step not in holders:
                holders.append(each.step)
            reason = holders.index(each.step) + 1
            np.minimum.at(reasons, classes[each.indices], reason)
    grow(constraints, classes, reasons)
    return Kept(reasons[classes], classes, holders)


Wanted = list[tuple[Indices, np.ndarray]]
"""Indices, and reasons for each of them to stay."""


def grow(constraints: Sequence[Constraint], classes: np.ndarray, reasons: np.ndarray) -> None:
    """Adds the classes that those which stay need; changes ``reasons``."""
    growing = [each for each in reversed(constraints) if isinstance(each, Sum | Fold)]
    while True:
        before = reasons.copy()
        for each in growing:
            if isinstance(each, Sum):
                needed = each.need(lambda indices: reasons[classes[indices]])
                pairs = zip(each.indices, needed, strict=True)
            else:
                pairs = _unfolded(each, lambda indices: reasons[classes[indices]])
            for indices, why in pairs:
                np.minimum.at(reasons, classes[indices], why)
        if np.array_equal(before, reasons):
            return


def _unfolded(fold: Fold, reasons: Reasons) -> Wanted:
    """What each axis of a fold needs so that both sides keep the same elements."""
    sides = [[reasons(axis) for axis in side] for side in fold]
    joint = reduce(np.minimum, (_outer(side, np.maximum) for side in sides))
    found = []
    for side, axes in zip(sides, fold, strict=True):
        by_axis = joint.reshape([len(own) for own in side])
        for position, indices in enumerate(axes):
            others = tuple(i for i in range(len(side)) if i != position)
            found.append((indices, by_axis.min(others, initial=GONE)))
    return found


def _outer(axes: Sequence[np.ndarray], combine: np.ufunc) -> np.ndarray:
    """Axes read as one: ``combine`` of the elements of each, row by row."""
    return reduce(lambda a, b: combine.outer(a, b).reshape(-1), axes)


class ConflictError(Exception):
    """A step needs what went."""

    def __init__(self, step: Step | None):
        super().__init__(step)
        self.step = step


def gone_with(
    constraints: Sequence[Constraint], count: int, gone: Iterable[Indices], kept: Iterable[Indices]
) -> np.ndarray:
    """The indices that go if these go; raises `ConflictError` if something needs one of them."""
    classes = tied_classes(constraints, count)
    left = np.zeros(classes.max(initial=-1) + 1, bool)
    for indices in gone:
        left[classes[indices]] = True
    folds = [each for each in constraints if isinstance(each, Fold)]
    before = None
    while before is None or not np.array_equal(before, left):
        before = left.copy()
        for fold in folds:
            _fold_gone(fold, classes, left)
    for fold in folds:
        sides = [_outer([left[classes[axis]] for axis in side], np.logical_or) for side in fold]
        if not np.array_equal(sides[0], sides[1]):
            raise ConflictError(None)
    for indices in kept:
        if left[classes[indices]].any():
            raise ConflictError(None)
    reasons = np.where(left, GONE, USED)
    for each in constraints:
        if isinstance(each, Hold) and left[classes[each.indices]].any():
            raise ConflictError(each.step)
        if isinstance(each, Sum):
            needed = each.need(lambda indices: reasons[classes[indices]])
            for indices, why in zip(each.indices, needed, strict=True):
                if (left[classes[indices]] & (why < GONE)).any():
                    raise ConflictError(each.step)
    return left[classes]


def _fold_gone(fold: Fold, classes: np.ndarray, left: np.ndarray) -> None:
    sides = [_outer([left[classes[axis]] for axis in side], np.logical_or) for side in fold]
    joint = np.logical_or(*sides)
    for axes in fold:
        by_axis = joint.reshape([len(axis) for axis in axes])
        for position, indices in enumerate(axes):
            others = tuple(i for i in range(len(axes)) if i != position)
            left[classes[indices[by_axis.all(others)]]] = True
