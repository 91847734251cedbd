"""Figures of experiments, drawn without a screen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from experiments.results import Cell, Row, cell, compression_text, compressions_of, methods_of
from experiments.runs import write_atomically


class Style(NamedTuple):
    """How a method looks in every figure; the colors are Okabe and Ito's, which the color-blind
    tell apart, and the markers differ too.
    """

    label: str
    color: str
    marker: str


STYLES = {
    "synflow": Style("SynFlow", "#D55E00", "o"),
    "snip": Style("SNIP", "#0072B2", "s"),
    "grasp": Style("GraSP", "#009E73", "^"),
    "magnitude": Style("Magnitude", "#CC79A7", "D"),
    "random": Style("Random", "#555555", "v"),
}

# How far apart, in log10 of the compression, hollow markers stand: all at chance, they'd overlap.
ASIDE = 0.05


def save_figure(figure: Figure, path: Path) -> None:
    """Writes ``path`` with .png and with .svg; the same figure gives the same bytes."""
    with rc_context({"svg.hashsalt": path.name}):
        for suffix, metadata in ((".png", {}), (".svg", {"Date": None})):
            write_atomically(
                path.with_suffix(suffix),
                lambda file, metadata=metadata: figure.savefig(file, dpi=200, metadata=metadata),
            )


def accuracy_figure(
    rows: Sequence[Row], chance: float, *, styles: Mapping[str, Style] = STYLES
) -> Figure:
    """Test accuracy against compression: a line a method for the mean over seeds, a band for their
    range, and a hollow marker where a layer has collapsed in any of them.
    """
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(100 * chance, color="0.6", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
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
    axes.set_xscale("log")
    ticks = powers if len(powers) <= 10 else [p for p in powers if float(p).is_integer()]
    axes.set_xticks([10**power for power in ticks], [compression_text(p) for p in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, 103)
    axes.set_xlabel("Compression (weights before / weights after, log scale)")
    axes.set_ylabel("Test accuracy (%)")
    axes.grid(axis="y", color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _legend_line(style: Style) -> Line2D:
    return Line2D([], [], color=style.color, marker=style.marker, ms=7, label=style.label)


def _collapse_mark() -> Line2D:
    label = "hollow: a layer has collapsed"
    return Line2D([], [], linestyle="", color="0.3", marker="o", mfc="white", mew=1.5, label=label)
