"""The steps in which a mask changes."""

from typing import NamedTuple

import jax

from synflow_jax.checks import check_rounds, check_whole


class Steps(NamedTuple):
    """Steps at equal distances; a step's number is that of the updates before it.

    Attributes:
        first: the first of them, an int.
        every: the distance, an int.
        number: how many there are, an int.
    """

    first: int
    every: int
    number: int

    def include(self, step: jax.Array) -> jax.Array:
        """Whether a step is one of them, boolean."""
        last = self.first + self.every * (self.number - 1)
        return (step >= self.first) & (step <= last) & ((step - self.first) % self.every == 0)

    def place(self, step: jax.Array) -> jax.Array:
        """Which of them a step is, from 0."""
        return (step - self.first) // self.every


def checked_steps(begin: object, end: object, every: object) -> tuple[int, int, int]:
    """All three as ints, with ``0 <= begin <= end`` and ``every >= 1``.

    Raises:
        ValueError: they're out of range.
        TypeError: one isn't a whole number.
    """
    start, stop = check_whole("begin", begin), check_whole("end", end)
    if not 0 <= start <= stop:
        raise ValueError(f"begin and end must be 0 <= begin <= end, got begin={start}, end={stop}")
    if stop >= 2**31:
        raise ValueError(f"end must be below 2**31, since steps are counted in int32, got {stop:,}")
    return start, stop, check_rounds(every, "every")
