"""Which slices of an axis a moving window lies on, for convolutions and pooling alike."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from synflow_jax.homogeneous.repeats import Origins, distinct


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
    windows: Sequence[Window], shape: Sequence[int], origins: Origins
) -> tuple[list[np.ndarray], Origins]:
    """What windows lie on at all positions that differ, along each axis.

    Args:
        windows: one for each axis.
        shape: of the array, as it's held.
        origins: of the array's slices.

    Returns:
        The numbers of the held slices that each tap lies on, -1 for an empty one, an array of shape
        ``(different positions, taps)`` for each axis; and the origins of the positions.
    """
    found = []
    for window, size, origin in zip(windows, shape, origins or (None,) * len(shape), strict=True):
        numbers = np.arange(size) if origin is None else np.array(origin)
        sources = np.append(numbers, -1)[window.sources(len(numbers))]
        first, positions = distinct(sources)
        found.append((sources[first], positions))
    return [sources for sources, _ in found], tuple(positions for _, positions in found)
