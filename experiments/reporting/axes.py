"""How axes look: one place for grids, spines and the axis of compressions."""

from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from experiments.reporting.results import compression_text

DASHED = (0, (4, 3))
"""Of lines that say where something is expected."""


def tidy(axes: Axes, *, grid: Literal["both", "y"] | None = "both") -> None:
    """A faint grid below what is drawn, and no frame above and on the right."""
    if grid is not None:
        axes.grid(axis=grid, color="0.92", linewidth=0.8)
        axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def compression_axis(axes: Axes, powers: Sequence[float], *, most: int) -> None:
    """A logarithmic axis with these compressions; only whole powers of 10 if there are more than
    ``most``.
    """
    axes.set_xscale("log")
    ticks = powers if len(powers) <= most else [p for p in powers if float(p).is_integer()]
    axes.set_xticks([10**power for power in ticks], [compression_text(p) for p in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


def accuracy_axis(axes: Axes, *, chance: float | None = None) -> None:
    """From 0 to 100 %, with a line where guessing is."""
    axes.set_ylim(0, 103)
    if chance is not None:
        axes.axhline(100 * chance, color="0.6", linewidth=1, linestyle=DASHED, zorder=1)
