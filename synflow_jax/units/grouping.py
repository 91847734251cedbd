"""Which indices of a function's arrays go together as units, and which can't go.

Indices that are tied are one. Of a fold, axes are read as one row by row: positions that stay fold
nothing, so that what they repeat is one unit (``height x width x channels`` flattened: a channel
each); where several axes can go, an index of the folded axis is one of each (``heads x
dimensions``: a head and a dimension).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from synflow_jax import wiring

Parts = dict[int, tuple[int, ...]]
"""The classes that a folded index is made of, by its own class."""


class Grouping(NamedTuple):
    """The classes of indices.

    Attributes:
        classes: for each index the number of its class.
        held: for each class the position in ``holders`` plus 1 of what holds it, 0 if nothing does.
        holders: the steps that hold indices; None stands for positions, inputs and outputs.
        parts: of the classes that are made of others.
    """

    classes: np.ndarray
    held: np.ndarray
    holders: list[wiring.Step | None]
    parts: Parts

    def units_of(self, index: int) -> tuple[int, ...]:
        """The classes that can go without which the index goes; none if it always stays."""
        own = int(self.classes[index])
        if self.held[own]:
            return ()
        if own not in self.parts:
            return (own,)
        return tuple(unit for part in self.parts[own] for unit in _flat(part, self))


def _flat(own: int, grouping: Grouping) -> tuple[int, ...]:
    if grouping.held[own]:
        return ()
    parts = grouping.parts.get(own)
    return (own,) if parts is None else tuple(u for part in parts for u in _flat(part, grouping))


def grouped(constraints: Sequence[wiring.Constraint], axes: wiring.Axes) -> Grouping:
    """The classes of all indices of a program.

    Args:
        constraints: on the indices.
        axes: the indices.
    """
    ties = [each for each in constraints if isinstance(each, wiring.Tie)]
    folds = [each for each in constraints if isinstance(each, wiring.Fold)]
    holds = [hold for each in constraints for hold in _held_by(each, axes.program)]
    while True:
        classes = wiring.tied_classes(ties, axes.count)
        held, holders = _held(holds, classes)
        more_ties, more_holds, parts = _unfolded(folds, classes, held)
        more_ties = [
            each for each in more_ties if (classes[each.left] != classes[each.right]).any()
        ]
        more_holds = [each for each in more_holds if not held[classes[each.indices]].all()]
        if not more_ties and not more_holds:
            return Grouping(classes, held, holders, parts)
        ties += more_ties
        holds += more_holds


def _held_by(constraint: wiring.Constraint, program: wiring.Program) -> list[wiring.Hold]:
    """What stays. Products and averages do without any of their terms, other sums don't."""
    match constraint:
        case wiring.Hold():
            return [constraint]
        case wiring.Sum(indices, _, step):
            if step.name in wiring.PRODUCTS or step in program.averages:
                return [wiring.Hold(own, None) for own in indices if len(own) == 1]
            return [wiring.Hold(own, step) for own in indices]
    return []


def _held(
    holds: Iterable[wiring.Hold], classes: np.ndarray
) -> tuple[np.ndarray, list[wiring.Step | None]]:
    held = np.zeros(classes.max(initial=-1) + 1, int)
    holders: list[wiring.Step | None] = []
    for each in holds:
        if each.step not in holders:
            holders.append(each.step)
        own = classes[each.indices]
        held[own] = np.where(held[own], held[own], holders.index(each.step) + 1)
    return held, holders


def _unfolded(
    folds: Iterable[wiring.Fold], classes: np.ndarray, held: np.ndarray
) -> tuple[list[wiring.Tie], list[wiring.Hold], Parts]:
    """What folds tie and hold, and the classes of folded indices."""
    ties: list[wiring.Tie] = []
    holds: list[wiring.Hold] = []
    parts: Parts = {}
    for fold in folds:
        sides = [_loose(side, classes, held) for side in fold]
        if not all(sides):
            holds += [wiring.Hold(axis, None) for side in sides for axis in side]
        elif len(sides[0]) == len(sides[1]) == 1:
            ties.append(wiring.Tie(sides[0][0], sides[1][0]))
        elif min(map(len, sides)) > 1:
            holds += [wiring.Hold(axis, None) for side in sides for axis in side]
        else:
            (whole,), factors = sorted(sides, key=len)
            more = _parts(whole, factors, classes, held, parts)
            ties += more[0]
            holds += more[1]
    return ties, holds, parts


def _loose(
    side: Sequence[wiring.Indices], classes: np.ndarray, held: np.ndarray
) -> list[wiring.Indices]:
    """The axes that don't all stay, each repeated to the elements of all, row by row."""
    sizes = [len(axis) for axis in side]
    found = []
    for position, axis in enumerate(side):
        if not held[classes[axis]].all():
            shape = [-1 if i == position else 1 for i in range(len(side))]
            found.append(np.broadcast_to(axis.reshape(shape), sizes).reshape(-1))
    return found


def _parts(
    whole: wiring.Indices,
    factors: Sequence[wiring.Indices],
    classes: np.ndarray,
    held: np.ndarray,
    parts: Parts,
) -> tuple[list[wiring.Tie], list[wiring.Hold]]:
    """Takes note of what a folded axis is made of; if it's of something else already, ties both."""
    ties: list[wiring.Tie] = []
    holds = [wiring.Hold(axis[held[classes[whole]] > 0], None) for axis in factors]
    first = np.unique(classes, return_index=True)[1]
    made = np.stack([classes[axis] for axis in (whole, *factors)], axis=1)
    for own, *others in np.unique(made, axis=0).tolist():
        before = parts.setdefault(own, tuple(others))
        if len(before) != len(others) or own in others:
            holds += [wiring.Hold(first[each : each + 1], None) for each in (own, *before, *others)]
            continue
        ties += [
            wiring.Tie(first[a : a + 1], first[b : b + 1])
            for a, b in zip(before, others, strict=True)
            if a != b
        ]
    return ties, [each for each in holds if len(each.indices)]
