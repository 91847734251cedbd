"""The authors' published accuracies, from a folder that the user gives, beside ours."""

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.method_table import Style
from experiments.reporting.axes import compression_axis
from experiments.reporting.results import Row, cell, compressions_of
from experiments.runs.options import refuse


class Point(NamedTuple):
    """Their mean accuracy, from 0 to 1, over the runs of a method at a compression."""

    method: str
    log10_compression: float
    accuracy: float


def read_paper(read: Callable[[Path], list[Point]], folder: Path | None) -> list[Point]:
    """``read(folder)``, or nothing without a folder; what can't be read ends the program."""
    try:
        return [] if folder is None else read(folder)
    except (OSError, KeyError, ValueError) as error:
        refuse(f"--paper-data: {type(error).__name__}: {error}")


def mean_points(path: Path, *, method: str, value: str, where: Mapping[str, str]) -> list[Point]:
    """Means over the lines of a file.

    Args:
        path: of a CSV file with a column ``log10_compression``.
        method: column with the method's name.
        value: column with the accuracy in percent.
        where: values of other columns that lines must have.
    """
    found: dict[tuple[str, float], list[float]] = {}
    with path.open(newline="") as file:
        for line in csv.DictReader(file):
            if all(line[name] == wanted for name, wanted in where.items()):
                place = line[method], float(line["log10_compression"])
                found.setdefault(place, []).append(float(line[value]) / 100)
    return [Point(*place, sum(values) / len(values)) for place, values in found.items()]


def draw_paper(figure: Figure, points: Sequence[Point], styles: Mapping[str, Style]) -> None:
    """Their means as dashed lines on the figure's first axes, in the methods' colors."""
    if not points:
        return
    axes = figure.axes[0]
    for method in dict.fromkeys(point.method for point in points):
        chosen = sorted(p for p in points if p.method == method)
        compressions = [10**point.log10_compression for point in chosen]
        means = [100 * point.accuracy for point in chosen]
        style = (0, (4, 2))
        axes.plot(compressions, means, color=styles[method].color, linestyle=style, linewidth=1.1)
    figure.set_size_inches(9, 4.2)
    powers = range(math.ceil(max(point.log10_compression for point in points)) + 1)
    compression_axis(axes, powers, most=len(powers))
    old = axes.get_legend()
    handles = [*(old.legend_handles if old else []), Line2D([], [], color="0.3", linestyle="--")]
    labels = [*(text.get_text() for text in old.get_texts())] if old else []
    axes.legend(
        handles=handles,
        labels=[*labels, "dashed: published"],
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        frameon=False,
    )


def agreement(rows: Sequence[Row], points: Sequence[Point]) -> str:
    """Ours minus theirs in percentage points by method, where both are, as text."""
    lines = []
    for method in dict.fromkeys(row.method for row in rows):
        theirs = {p.log10_compression: p.accuracy for p in points if p.method == method}
        powers = [power for power in compressions_of(rows) if power in theirs]
        gaps = [100 * (cell(rows, method, power).mean - theirs[power]) for power in powers]
        if gaps:
            size = sum(map(abs, gaps)) / len(gaps)
            worst = max(gaps, key=abs)
            at = powers[gaps.index(worst)]
            lines.append(f"{method:>10}{len(gaps):8}{size:8.2f}{worst:+9.2f} at 10^{at:g}")
    if not lines:
        return ""
    head = f"{'method':>10}{'points':>8}{'mean':>8}{'largest':>9}"
    title = (
        "Ours minus published, in percentage points (mean of sizes); the network and data are "
        "the same only with --full.\n"
    )
    return "\n".join([title, head, *lines])
