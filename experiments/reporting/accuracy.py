"""The figure of accuracy against compression, a line a method."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.method_table import STYLES, Style
from experiments.reporting.axes import accuracy_axis, compression_axis, tidy
from experiments.reporting.results import Cell, Row, cell, compressions_of, methods_of

# How far apart, in log10 of the compression, hollow markers stand: all at chance, they'd overlap.
ASIDE = 0.05


def accuracy_figure(
    rows: Sequence[Row], chance: float, *, styles: Mapping[str, Style] = STYLES
) -> Figure:
    """Test accuracy against compression: a line a method for the mean over seeds, a band for their
    range, and a hollow marker where a layer has collapsed in any of them.
    """
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    accuracy_axis(axes, chance=chance)
    axes.text(
        10 ** min(compressions_of(rows)), 100 * chance + 1.5, "chance", color="0.45", fontsize=8.5
    )
    powers = compressions_of(rows)
    methods = methods_of(rows)
    # The first method is drawn last, on top of the others.
    for method in reversed(methods):
        cells = [cell(rows, method, power) for power in powers]
        places = [_marker_place(rows, method, power) for power in powers]
        _draw_method(axes, [10**power for power in powers], cells, styles[method], places=places)
    _label_axes(axes, powers)
    axes.set_title(_caption(rows), loc="left", fontsize=9, color="0.35")
    axes.legend(
        handles=[*(_legend_line(styles[method]) for method in methods), _collapse_mark()],
        loc="lower left",
        bbox_to_anchor=(0.0, 0.13),
        frameon=False,
    )
    return figure


def _caption(rows: Sequence[Row]) -> str:
    seeds = len({row.seed for row in rows})
    weights = f"{rows[0].weights:,} weights"
    return f"{weights}; mean and range of {seeds} seeds" if seeds > 1 else f"{weights}; 1 seed"


def _marker_place(rows: Sequence[Row], method: str, power: float) -> float:
    """The compression at which a marker stands: hollow ones side by side around the true one."""
    collapsed = [m for m in methods_of(rows) if cell(rows, m, power).collapsed_runs]
    if method not in collapsed:
        return 10**power
    return 10 ** (power + ASIDE * (collapsed.index(method) - (len(collapsed) - 1) / 2))


def _draw_method(
    axes: Axes,
    compressions: Sequence[float],
    cells: Sequence[Cell],
    style: Style,
    *,
    places: Sequence[float],
) -> None:
    axes.fill_between(
        compressions,
        [100 * cell.lowest for cell in cells],
        [100 * cell.highest for cell in cells],
        color=style.color,
        alpha=0.15,
        linewidth=0,
    )
    means = [100 * cell.mean for cell in cells]
    axes.plot(compressions, means, color=style.color, linewidth=1.8, zorder=2)
    for place, mean, each in zip(places, means, cells, strict=True):
        face = "white" if each.collapsed_runs else style.color
        axes.plot(place, mean, style.marker, color=style.color, mfc=face, mew=1.5, ms=7, zorder=3)


def _label_axes(axes: Axes, powers: Sequence[float]) -> None:
    compression_axis(axes, powers, most=10)
    axes.set_xlabel("Compression (weights before / weights after, log scale)")
    axes.set_ylabel("Test accuracy (%)")
    tidy(axes, grid="y")


def _legend_line(style: Style) -> Line2D:
    return Line2D([], [], color=style.color, marker=style.marker, ms=7, label=style.label)


def _collapse_mark() -> Line2D:
    label = "hollow: a layer has collapsed"
    return Line2D([], [], linestyle="", color="0.3", marker="o", mfc="white", mew=1.5, label=label)
