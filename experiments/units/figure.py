"""The figure of accuracy against multiplications, and the tables of accuracies and of steps."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from experiments.reporting.axes import DASHED, tidy
from experiments.reporting.results import aligned
from experiments.units.rows import DENSE, Row, StepRow
from experiments.units.ways import WAYS


class Point(NamedTuple):
    """All seeds of a way at a fraction: means, and the range of accuracies."""

    fraction: float
    left: float
    mean: float
    lowest: float
    highest: float


def point(rows: Sequence[Row], way: str, asked: float) -> Point:
    """The rows of one way and fraction put together."""
    chosen = [row for row in rows if (row.way, row.asked) == (way, asked)]
    accuracies = [row.accuracy for row in chosen]
    numbers = [(row.fraction, row.left, row.accuracy) for row in chosen]
    fraction, left, mean = (sum(column) / len(chosen) for column in zip(*numbers, strict=True))
    return Point(fraction, left, mean, min(accuracies), max(accuracies))


def curve(rows: Sequence[Row], way: str) -> list[Point]:
    """The points of a way, a point for each fraction that was asked for."""
    asked = dict.fromkeys(row.asked for row in rows if row.way == way)
    return [point(rows, way, each) for each in asked]


def networks_of(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each network."""
    names = dict.fromkeys(row.network for row in rows)
    return {name: [row for row in rows if row.network == name] for name in names}


def units_figure(rows: Sequence[Row], data: Mapping[str, str]) -> Figure:
    """Test accuracy against the fraction of the multiplications that is left: a line a way for the
    mean over seeds, a band for their range; a panel for each network, on its data set.
    """
    networks = networks_of(rows)
    figure = Figure(figsize=(5.6 * len(networks) + 2.6, 4.4), layout="constrained")
    panels = figure.subplots(1, len(networks), squeeze=False)[0]
    for axes, (network, own) in zip(panels, networks.items(), strict=True):
        _draw(axes, own)
        axes.set_title(_caption(own, data[network]), loc="left", fontsize=9, color="0.35")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
    return figure


def _draw(axes: Axes, rows: Sequence[Row]) -> None:
    dense = point(rows, DENSE, 1.0)
    axes.axhline(100 * dense.mean, color="0.6", linewidth=1)
    axes.plot(1, 100 * dense.mean, "*", color="0.2", markersize=10, label="Not pruned")
    # The first way is drawn last, on top of the others, and stands first in the legend.
    ways = [way for way in dict.fromkeys(row.way for row in rows) if way != DENSE]
    for order, way in enumerate(ways):
        _line(axes, curve(rows, way), way, zorder=3 + len(ways) - order)
    _multiplications_axis(axes, [row.fraction for row in rows])
    axes.set_ylim(10 * math.floor(10 * min(row.accuracy for row in rows)), 101)
    axes.set_xlabel("Multiplications left, as a fraction of the unpruned network's (log scale)")
    axes.set_ylabel("Test accuracy (%)")
    tidy(axes)


def _line(axes: Axes, points: Sequence[Point], way: str, *, zorder: float) -> None:
    style = WAYS[way].style
    fractions = [each.fraction for each in points]
    low, high = [100 * each.lowest for each in points], [100 * each.highest for each in points]
    axes.fill_between(fractions, low, high, color=style.color, alpha=0.15, linewidth=0)
    axes.plot(
        fractions,
        [100 * each.mean for each in points],
        color=style.color,
        marker=style.marker,
        linestyle=DASHED if WAYS[way].weights else "-",
        label=style.label,
        linewidth=1.8,
        markersize=6,
        zorder=zorder,
    )


def _multiplications_axis(axes: Axes, fractions: Sequence[float]) -> None:
    """Halves of halves, from the whole down to the smallest fraction."""
    axes.set_xscale("log")
    powers = [0]
    while 2.0 ** -powers[-1] > min(fractions):
        powers.append(powers[-1] + 1)
    axes.xaxis.set_major_locator(FixedLocator([2.0**-power for power in powers]))
    axes.set_xticklabels([f"1/{2**power}" if power else "1" for power in powers])
    axes.xaxis.set_minor_locator(NullLocator())


def _caption(rows: Sequence[Row], data: str) -> str:
    first, seeds = rows[0], len({row.seed for row in rows})
    size = f"{first.multiplications:,} multiplications, {first.weights:,} weights"
    runs = f"mean and range of {seeds} seeds" if seeds > 1 else "1 seed"
    return f"Pruned at initialization, then trained: {first.network} on {data}\n{size}; {runs}"


def accuracy_table(rows: Sequence[Row]) -> str:
    """A line for each network, way and fraction: what is left, and test accuracy in percent."""
    lines = [("network", "way", "multiplications", "weights", "accuracy")]
    for network, own in networks_of(rows).items():
        for way in dict.fromkeys(row.way for row in own):
            for each in curve(own, way):
                share = each.left / own[0].weights
                span = f"{100 * each.mean:.1f} ({100 * each.lowest:.1f}-{100 * each.highest:.1f})"
                lines.append((network, way, f"{each.fraction:.2%}", f"{share:.2%}", span))
    head = "What is left in the compact network, and test accuracy in %: mean (lowest-highest)."
    return f"{head}\n{aligned(lines)}"


def step_table(rows: Sequence[StepRow]) -> str:
    """A line for each network that was timed: what is left, and milliseconds of a step."""
    dense = {row.network: row for row in rows if row.way == DENSE}
    lines = [("network", "way", "multiplications", "weights", "ms a step", "times as fast")]
    for row in rows:
        whole = dense[row.network]
        counts = f"{row.multiplications_left:,}", f"{row.left:,}"
        times = f"{1000 * row.seconds:.2f}", f"{whole.seconds / row.seconds:.2f}"
        lines.append((row.network, row.way, *counts, *times))
    return f"Training steps of compact networks.\n{aligned(lines)}"
