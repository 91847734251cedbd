"""Which slices of an axis a moving window lies on, for convolutions and pooling alike."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from synflow_jax.homogeneous.repeats import Origins, Repeats, of_few_sizes, repeats_of

# Multiplications that take no longer than what is around them.
_CHEAP = 2.5e6


class Window(NamedTuple):
    """A window along one axis.

    Attributes:
        taps: how many slices the window lies on, an int.
        stride: the step from one position of the window to the next, an int.
        padding: how many empty slices come before and behind the axis.
        spread: distance of the axis's slices, an int: 2 where an empty one is between any two.
        dilation: distance of the window's taps, an int.
    """

    taps: int
    stride: int
    padding: tuple[int, int]
    spread: int
    dilation: int

    def sources(self, size: int) -> np.ndarray:
        """The slice that each tap lies on at each position, -1 for an empty one.

        Returns:
            Integers of shape ``(positions, taps)``.
        """
        low, high = self.padding
        room = (size - 1) * self.spread + 1 + low + high - (self.taps - 1) * self.dilation
        at = np.arange(0, room, self.stride)[:, None] + np.arange(self.taps) * self.dilation - low
        slices = at // self.spread
        return np.where((at % self.spread == 0) & (slices >= 0) & (slices < size), slices, -1)


def moved(
    windows: Sequence[Window],
    shape: Sequence[int],
    origins: Origins,
    *,
    work: float = math.inf,
) -> tuple[list[np.ndarray], Origins]:
    """What windows lie on at all positions that are held, along each axis.

    Args:
        windows: one for each axis.
        shape: of the array, as it's held.
        origins: of the array's slices.
        work: multiplications at a position. Where there are few in all, more positions are held,
            so that one size is computed several times.

    Returns:
        The numbers of the held slices that each tap lies on, -1 for an empty one, an array of shape
        ``(held positions, taps)`` for each axis; and the origins of the positions.
    """
    given = [
        repeats or Repeats(*[tuple(range(size))] * 2)
        for size, repeats in zip(shape, origins or (None,) * len(shape), strict=True)
    ]
    kinds = [
        np.append(repeats.kinds, -1)[window.sources(len(repeats.kinds))]
        for window, repeats in zip(windows, given, strict=True)
    ]
    after = [repeats_of(each) for each in kinds]
    few = [of_few_sizes(repeats) for repeats in after]
    if work * math.prod(len(_first(*each)) for each in zip(few, kinds, strict=True)) <= _CHEAP:
        after = few
    found = list(map(_sources, windows, shape, given, kinds, after))
    return found, tuple(after)


def _first(repeats: Repeats | None, slices: np.ndarray) -> np.ndarray:
    return np.arange(len(slices)) if repeats is None else repeats.first()


def _sources(
    window: Window, size: int, before: Repeats, kinds: np.ndarray, after: Repeats | None
) -> np.ndarray:
    first = _first(after, kinds)
    # If these are of the same kinds, what is held is a smaller image.
    of_held = window.sources(size)
    if np.array_equal(np.append(before.held_kinds(), -1)[of_held], kinds[first]):
        return of_held
    return np.append(before.places, -1)[window.sources(len(before.kinds))[first]]
