"""Which slices of an axis a moving window lies on, the same for convolutions and pooling."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from synflow_jax.homogeneous.repeats import Origins, distinct


class Window(NamedTuple):
    """A window along one axis.

    Attributes:
        taps: how many slices it lies on.
        stride: from one position of the window to the next.
        padding: slices of nothing before and behind.
        spread: distance of the axis's slices, 2 for one of nothing between any two.
        dilation: distance of the window's taps.
    """

    taps: int
    stride: int
    padding: tuple[int, int]
    spread: int
    dilation: int

    def sources(self, size: int) -> np.ndarray:
        """The slice that each tap lies on at each position, -1 for none: ``(positions, taps)``."""
        low, high = self.padding
        room = (size - 1) * self.spread + 1 + low + high - (self.taps - 1) * self.dilation
        at = np.arange(0, room, self.stride)[:, None] + np.arange(self.taps) * self.dilation - low
        slices = at // self.spread
        return np.where((at % self.spread == 0) & (slices >= 0) & (slices < size), slices, -1)


def moved(
    windows: Sequence[Window], shape: Sequence[int], origins: Origins
) -> tuple[list[np.ndarray], Origins]:
    """Sources at all positions that differ, and which of them each position is, along each axis.

    Args:
        windows: one for each axis.
        shape: of the array, as it's held.
        origins: of its slices; the sources are numbers of held slices.
    """
    found = []
    for window, size, origin in zip(windows, shape, origins or (None,) * len(shape), strict=True):
        numbers = np.arange(size) if origin is None else np.array(origin)
        sources = np.append(numbers, -1)[window.sources(len(numbers))]
        first, positions = distinct(sources)
        found.append((sources[first], positions))
    return [sources for sources, _ in found], tuple(positions for _, positions in found)
