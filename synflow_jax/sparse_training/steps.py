"""The steps in which a mask changes."""

from typing import Any, NamedTuple

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


def changes_until(begin: Any, end: Any, every: Any) -> Steps:
    """``begin + k * every`` for k from 1 on, none after ``end``; or ``begin`` alone if it's that.

    Raises:
        ValueError: it isn't ``0 <= begin <= end`` and ``every >= 1``, or there are none.
        TypeError: one isn't a whole number.
    """
    start, stop, distance = _checked(begin, end, every)
    if start == stop:
        return Steps(start, distance, 1)
    if distance > stop - start:
        raise ValueError(
            f"every must be at most end - begin, or nothing changes: got every={distance}, "
            f"begin={start}, end={stop}; begin == end prunes at once in that step"
        )
    return Steps(start + distance, distance, (stop - start) // distance)


def changes_before(begin: Any, end: Any, every: Any) -> Steps:
    """``begin + k * every`` for k from 1 on, all before ``end``.

    Raises:
        ValueError: it isn't ``0 <= begin <= end`` and ``every >= 1``, or there are none.
        TypeError: one isn't a whole number.
    """
    start, stop, distance = _checked(begin, end, every)
    if distance >= stop - start:
        raise ValueError(
            f"every must be less than end - begin, or nothing changes: got every={distance}, "
            f"begin={start}, end={stop}"
        )
    return Steps(start + distance, distance, (stop - start - 1) // distance)


def _checked(begin: Any, end: Any, every: Any) -> tuple[int, int, int]:
    start, stop = check_whole("begin", begin), check_whole("end", end)
    if not 0 <= start <= stop:
        raise ValueError(f"begin and end must be 0 <= begin <= end, got begin={start}, end={stop}")
    if stop >= 2**31:
        raise ValueError(f"end must be below 2**31, since steps are int32, got end={stop:,}")
    return start, stop, check_rounds(every, "every")
