"""The figure of accuracy and collapse against compression, and its tables."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from experiments.reporting.axes import accuracy_axis, compression_axis, tidy
from experiments.reporting.results import aligned, compression_text, compressions_of
from experiments.transformers.rows import DENSE, Row
from experiments.transformers.ways import WAYS

CHANCE = 0.1


def networks_of(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each network."""
    names = dict.fromkeys(row.network for row in rows)
    return {name: [row for row in rows if row.network == name] for name in names}


def ways_of(rows: Sequence[Row]) -> list[str]:
    """Each way to prune once, in the order of the rows."""
    return [way for way in dict.fromkeys(row.way for row in rows) if way != DENSE]


def over_seeds(
    rows: Sequence[Row], way: str, value: Callable[[Row], float]
) -> dict[float, list[float]]:
    """By log10 of the compression, a value of all seeds."""
    own = [row for row in rows if row.way == way]
    return {
        power: [value(row) for row in own if row.log10_compression == power]
        for power in compressions_of(own)
    }


def transformers_figure(rows: Sequence[Row]) -> Figure:
    """A column a network, a line a way: above test accuracy against compression, below how many
    kernels have nothing left; means over seeds, and a band for the range of accuracies.
    """
    networks = networks_of(rows)
    figure = Figure(figsize=(4.6 * len(networks) + 2.2, 6.4), layout="constrained")
    grid = figure.subplots(2, len(networks), sharex=True, squeeze=False, height_ratios=(3, 2))
    for (network, own), (above, below) in zip(networks.items(), grid.T, strict=True):
        _draw_accuracies(above, own)
        _draw_collapse(below, own)
        seeds = len({row.seed for row in own})
        caption = f"{network} on the digits: {own[0].weights:,} weights, {seeds} seeds"
        above.set_title(caption, loc="left", fontsize=9, color="0.35")
    handles = {
        label: handle
        for axes in grid[0]
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    handles["dashed: in 1 round"] = Line2D([], [], color="0.4", linestyle="--")
    figure.legend(handles.values(), handles, loc="outside right center", frameon=False, fontsize=9)
    return figure


def _draw_accuracies(axes: Axes, rows: Sequence[Row]) -> None:
    accuracy_axis(axes, chance=CHANCE)
    dense = over_seeds(rows, DENSE, lambda row: row.accuracy)[0.0]
    axes.axhline(100 * float(np.mean(dense)), color="0.2", linewidth=1, label="not pruned")
    for order, way in enumerate(ways_of(rows)):
        found = over_seeds(rows, way, lambda row: 100 * row.accuracy)
        low, high = map(min, found.values()), map(max, found.values())
        color = WAYS[way].style.color
        compressions = [10**power for power in found]
        axes.fill_between(compressions, list(low), list(high), color=color, alpha=0.12, linewidth=0)
        _line(axes, found, way, zorder=20 - order)
    axes.set_ylabel("Test accuracy (%)")
    tidy(axes)


def _draw_collapse(axes: Axes, rows: Sequence[Row]) -> None:
    for order, way in enumerate(ways_of(rows)):
        _line(axes, over_seeds(rows, way, lambda row: row.collapsed), way, zorder=20 - order)
    compression_axis(axes, sorted(compressions_of(rows))[1:], most=8)
    axes.set_xlabel("Compression (weights before / weights after, log scale)")
    axes.set_ylabel(f"Kernels with nothing left,\nof {rows[0].kernels}")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(-0.04 * rows[0].kernels, 1.04 * rows[0].kernels)
    tidy(axes)


def _line(axes: Axes, found: dict[float, list[float]], way: str, *, zorder: float) -> None:
    style = WAYS[way].style
    axes.plot(
        [10**power for power in found],
        [float(np.mean(values)) for values in found.values()],
        color=style.color,
        marker=style.marker,
        label=style.label,
        linestyle="--" if WAYS[way].once else "-",
        linewidth=1.6,
        markersize=5.5,
        zorder=zorder,
    )


def accuracy_table(rows: Sequence[Row]) -> str:
    """For each network and way, test accuracy in percent by compression."""
    lines: list[tuple[str, ...]] = []
    for network, own in networks_of(rows).items():
        powers = compressions_of([row for row in own if row.way != DENSE])
        head = ("network", "way", *map(compression_text, powers))
        lines = lines or [head]
        dense = over_seeds(own, DENSE, lambda row: 100 * row.accuracy)[0.0]
        lines.append((network, DENSE, _span(dense), *[""] * (len(powers) - 1)))
        for way in ways_of(own):
            found = over_seeds(own, way, lambda row: 100 * row.accuracy)
            lines.append((network, way, *map(_span, found.values())))
    return f"Test accuracy in %, mean (lowest-highest), by compression.\n{aligned(lines)}"


def _span(values: Sequence[float]) -> str:
    return f"{np.mean(values):.1f} ({min(values):.1f}-{max(values):.1f})"


def collapse_table(rows: Sequence[Row]) -> str:
    """What is left where: kernels and heads that are gone, and the kept weights by their place."""
    lines: list[tuple[str, ...]] = [
        ("network", "way", "compression", "kernels", "heads", "q and k", "mixing", "MLPs", "ends")
    ]
    for network, own in networks_of(rows).items():
        for way in ways_of(own):
            for power in compressions_of([row for row in own if row.way == way]):
                same = [r for r in own if (r.way, r.log10_compression) == (way, power)]
                lines.append((network, way, compression_text(power), *_places(same)))
    head = (
        "Kernels with nothing left, heads without queries, keys, values or outputs, and where the\n"
        "kept weights are, in %; means over seeds. Mixing: values and outputs of attention, or\n"
        "dense layers over tokens. Ends: the first and the last layer."
    )
    return f"{head}\n{aligned(lines)}"


def _places(rows: Sequence[Row]) -> list[str]:
    def mean(value: Callable[[Row], float]) -> float:
        return float(np.mean([value(row) for row in rows]))

    shares = [
        mean(lambda row: row.matching / row.kept),
        mean(lambda row: row.mixing / row.kept),
        mean(lambda row: row.mlps / row.kept),
    ]
    return [
        f"{mean(lambda row: row.collapsed):.1f}",
        f"{mean(lambda row: row.heads_lost):.1f}",
        *(f"{100 * share:.0f}" for share in (*shares, 1 - sum(shares))),
    ]
