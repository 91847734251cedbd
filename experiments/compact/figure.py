"""The figure and the table of accuracy against time."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from experiments.compact.experiment import EpochRow
from experiments.reporting.axes import DASHED, tidy
from experiments.reporting.results import aligned, compression_text, compressions_of

LINES = {"masked": DASHED, "compact": "-"}


def chosen(rows: Sequence[EpochRow], power: float, way: str) -> list[EpochRow]:
    """The epochs of one network."""
    return [row for row in rows if (row.log10_compression, row.way) == (power, way)]


def time_figure(rows: Sequence[EpochRow]) -> Figure:
    """Test accuracy against seconds of compaction and training, a color a compression."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    powers = compressions_of(rows)
    colors = colormaps["viridis"](np.linspace(0, 0.8, len(powers)))
    for color, marker, power in zip(colors, "osD^v<>PX*" * len(powers), powers, strict=False):
        for way, line in LINES.items():
            points = chosen(rows, power, way)
            axes.plot(
                [row.seconds for row in points],
                [100 * row.accuracy for row in points],
                color=color,
                linestyle=line,
                marker=marker,
                markersize=4,
                markerfacecolor=color if way == "compact" else "white",
                label=f"{way}, compression {compression_text(power)}",
            )
    axes.set_xlim(left=0)
    axes.set_ylim(0, 103)
    axes.set_xlabel("Seconds of compaction and training, without compilation")
    axes.set_ylabel("Test accuracy (%)")
    axes.set_title(f"{rows[0].weights:,} weights; a marker an epoch", loc="left", fontsize=9)
    tidy(axes)
    axes.legend(frameon=False, loc="lower right", fontsize=9)
    return figure


HEAD = "compression way weights pruning compaction compilation training total epoch accuracy"


def table(rows: Sequence[EpochRow]) -> str:
    """A line a network: its weights, seconds by what they went to, and test accuracy."""
    powers = compressions_of(rows)
    networks = [chosen(rows, power, way) for power in powers for way in LINES]
    note = "Seconds; of an epoch the median. Compilation holds an epoch that is thrown away."
    return f"{note}\n{aligned([HEAD.split(), *map(_line, networks)])}"


def _line(rows: Sequence[EpochRow]) -> list[str]:
    first, last = rows[0], rows[-1]
    times = [
        last.pruning_seconds,
        first.seconds,
        last.compilation_seconds,
        last.seconds - first.seconds,
        last.pruning_seconds + last.compilation_seconds + last.seconds,
        float(np.median(np.diff([row.seconds for row in rows]))),
    ]
    return [
        compression_text(last.log10_compression),
        last.way,
        f"{last.left:,}",
        *(f"{seconds:.2f}" for seconds in times),
        f"{100 * last.accuracy:.1f}%",
    ]
