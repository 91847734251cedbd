"""What is known of values whatever the inputs: where they are constant, and where they stay 0."""

from typing import Any, NamedTuple

import numpy as np


class Fact(NamedTuple):
    """What is known of a value's elements.

    The arrays have the value's number of dimensions; an axis of size 1 stands for all of it.

    Attributes:
        varies: bool; whether an element depends on the inputs, or isn't known.
        number: where it doesn't vary, what it is.
        moves: bool; whether a constant changes when the params are trained.
    """

    varies: Any
    number: Any
    moves: Any

    @property
    def alive(self) -> Any:
        """bool; whether an element may ever differ from 0."""
        return self.varies | self.moves | (self.number != 0)


def unknown(rank: int, varies: Any = True) -> Fact:
    """A value that varies, everywhere or where it says, and is 0 elsewhere."""
    flags = np.broadcast_to(np.asarray(varies), (1,) * rank) if np.ndim(varies) == 0 else varies
    return Fact(np.asarray(flags), np.zeros((1,) * rank), np.zeros((1,) * rank, bool))


def constant_fact(number: Any, moves: Any = False) -> Fact:
    """A constant."""
    shape = (1,) * np.ndim(number)
    flags = np.zeros(shape, bool) if np.ndim(moves) == 0 and not moves else moves
    flags = np.ones(shape, bool) if flags is True else flags
    return Fact(np.zeros(shape, bool), np.asarray(number), np.asarray(flags))


def joined(first: Fact, second: Fact) -> Fact:
    """What holds of both: constant where they are equal."""
    same = (first.number == second.number) & ~first.varies & ~second.varies
    number = np.where(same, first.number, np.zeros_like(first.number))
    return Fact(~same, number, first.moves | second.moves)


def equal(first: Fact, second: Fact) -> bool:
    """Whether two facts of one value say the same."""
    pairs = zip(first, second, strict=True)
    return all(np.all(a == b) for a, b in pairs)
