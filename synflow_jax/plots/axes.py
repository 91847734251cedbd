"""Axes to draw on, and a band at their bottom for what has nothing left."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from synflow_jax.checks import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of the picture's height, for each line of crosses.
LINE = 0.06


class Empty(NamedTuple):
    """Where one curve has layers with nothing left.

    Attributes:
        places: along the x axis.
        color: the curve's.
    """

    places: Sequence[float]
    color: Any


def axes_of(ax: Any, width: float = 6.4) -> "Axes":
    """Those given, or new ones of a width in inches."""
    try:
        import matplotlib.pyplot as plt
        from matplotlib.axes import Axes
    except ImportError as error:
        raise ImportError(
            "sf.plot_layers and sf.plot_history need the package matplotlib: "
            "pip install 'synflow_jax[plot]'"
        ) from error
    if ax is None:
        return plt.subplots(figsize=(width, 3.6), layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be the Axes of a figure of matplotlib, got {shown(ax)}")
    return ax


def finish(ax: "Axes", empties: Sequence[Empty], styles: Mapping[str, Any]) -> None:
    """Logarithmic, with a grid, crosses in a band below the curves, and a legend.

    Args:
        ax: has the curves; those with a name of their own have it as their label.
        empties: a line of crosses for each.
        styles: what the legend says of the styles of lines that belong to all curves.
    """
    ax.set_yscale("log")
    ax.margins(y=0.08)
    ax.grid(axis="y", alpha=0.3)
    ax.set_axisbelow(True)
    if empties:
        _draw_band(ax, empties)
    _legend(ax, styles, empty=bool(empties))


def _draw_band(ax: "Axes", empties: Sequence[Empty]) -> None:
    height = LINE * (len(empties) + 0.4)
    # Where all is empty there is no height to go by.
    low, high = ax.get_ylim() if np.isfinite(ax.dataLim.minposy) else (0.1, 1.0)
    ax.set_ylim(low * (low / high) ** (height / (1 - height)), high)
    whole = {"transform": ax.transAxes, "color": "gray", "alpha": 0.15, "linewidth": 0}
    ax.fill_between([0, 1], 0, height, **whole)
    for line, (places, color) in enumerate(empties):
        ax.plot(
            places,
            [LINE * (line + 0.7)] * len(places),
            transform=ax.get_xaxis_transform(),
            linestyle="none",
            marker="X",
            markersize=7,
            markeredgecolor="white",
            markeredgewidth=0.6,
            color=color,
        )


def _legend(ax: "Axes", styles: Mapping[str, Any], *, empty: bool) -> None:
    from matplotlib.lines import Line2D

    handles, labels = ax.get_legend_handles_labels()
    handles = [
        *handles,
        *(Line2D([], [], color="gray", linewidth=0.8, linestyle=styles[name]) for name in styles),
        *([Line2D([], [], color="gray", linestyle="none", marker="X")] if empty else []),
    ]
    names = [*labels, *styles, *(["a layer with nothing left"] if empty else [])]
    ax.legend(handles, names, fontsize="small")
