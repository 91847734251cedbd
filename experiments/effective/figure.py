"""The figure and the table of effective density."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.effective.experiment import DensityRow
from experiments.method_table import STYLES
from experiments.reporting.axes import DASHED, compression_axis, tidy
from experiments.reporting.results import aligned, compression_text, compressions_of, methods_of


def chosen(rows: Sequence[DensityRow], model: str, method: str) -> list[list[DensityRow]]:
    """The rows of a method on a network, all seeds of each compression together."""
    own = [row for row in rows if (row.model, row.method) == (model, method)]
    return [[r for r in own if r.log10_compression == power] for power in compressions_of(own)]


def models_in(rows: Sequence[DensityRow]) -> list[str]:
    """The networks, in their order."""
    return list(dict.fromkeys(row.model for row in rows))


def shares(by_power: Sequence[Sequence[DensityRow]]) -> list[float]:
    """For each compression what part of the weights kept lies on paths, mean over seeds."""
    return [float(np.mean([row.effective / row.kept for row in same])) for same in by_power]


def density_figure(rows: Sequence[DensityRow]) -> Figure:
    """A column a network, a line a method: above, effective against direct density; below, their
    ratio. A cross marks the last compression with a path.
    """
    models, methods = models_in(rows), methods_of(rows)
    figure = Figure(figsize=(1.2 + 3.6 * len(models), 5.6), layout="constrained")
    grid = figure.subplots(2, len(models), sharex=True, sharey="row", squeeze=False)
    for model, (above, below) in zip(models, grid.T, strict=True):
        own = [row for row in rows if row.model == model]
        powers = compressions_of(own)
        direct = [10**-power for power in powers]
        line = {"color": "0.2", "linestyle": DASHED, "linewidth": 1, "zorder": 3}
        above.plot([10**power for power in powers], direct, **line)
        for method in methods:
            _draw_densities(above, chosen(own, model, method), method)
            _draw_shares(below, chosen(own, model, method), method)
        above.set_yscale("log")
        compression_axis(below, powers, most=5)
        below.set_ylim(0, 103)
        below.set_xlabel("Compression: weights / weights kept")
        above.set_title(f"{model}, untrained: {own[0].weights:,} weights", loc="left", fontsize=9)
        tidy(above)
        tidy(below)
    grid[0, 0].set_ylabel("Effective density")
    grid[1, 0].set_ylabel("Effective / direct density (%)")
    figure.legend(
        handles=[
            *(
                Line2D([], [], color=style.color, marker=style.marker, label=style.label)
                for style in (STYLES[method] for method in methods)
            ),
            Line2D([], [], color="0.2", linestyle=DASHED, linewidth=1, label="direct density"),
            Line2D([], [], color="0.2", linestyle="", marker="x", label="then no path is left"),
        ],
        loc="outside lower center",
        ncols=6,
        fontsize=8,
        frameon=False,
    )
    return figure


def _draw_densities(axes: Axes, by_power: Sequence[Sequence[DensityRow]], method: str) -> None:
    style = STYLES[method]
    points = [
        (10 ** same[0].log10_compression, np.mean([row.effective / row.weights for row in same]))
        for same in by_power
    ]
    alive = [point for point in points if point[1] > 0]
    if alive:
        axes.plot(*zip(*alive, strict=True), color=style.color, marker=style.marker, markersize=4)
    if 0 < len(alive) < len(points):
        axes.plot(*alive[-1], "x", color=style.color, markersize=10, markeredgewidth=1.6)


def _draw_shares(axes: Axes, by_power: Sequence[Sequence[DensityRow]], method: str) -> None:
    style = STYLES[method]
    axes.plot(
        [10 ** same[0].log10_compression for same in by_power],
        [100 * share for share in shares(by_power)],
        color=style.color,
        marker=style.marker,
        markersize=4,
        clip_on=False,
    )


def table(rows: Sequence[DensityRow]) -> str:
    """For each network and compression, what part of the weights kept lies on paths, in %."""
    methods = methods_of(rows)
    lines = [("network", "compression", *methods)]
    for model in models_in(rows):
        columns = [chosen(rows, model, method) for method in methods]
        powers = [same[0].log10_compression for same in columns[0]]
        parts = zip(*map(shares, columns), strict=True)
        for power, row in zip(powers, parts, strict=True):
            texts = (f"{100 * share:.1f}" for share in row)
            lines.append((model, compression_text(power), *texts))
    return f"Weights on paths in % of the weights kept, mean over seeds:\n{aligned(lines)}"
