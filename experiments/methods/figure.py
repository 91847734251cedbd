"""The figure and the table of all methods."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.methods.experiment import KINDS, MethodRow, TimeRow
from experiments.methods.ways import LOOKS, rounds_and_data
from experiments.reporting.axes import DASHED, accuracy_axis, compression_axis, tidy
from experiments.reporting.results import (
    Row,
    aligned,
    cell,
    compression_text,
    compressions_of,
    methods_of,
)

COLUMNS = 5


def methods_figure(rows: Sequence[MethodRow], chance: float) -> Figure:
    """A panel a method: mean test accuracy under its masks and under shuffled ones, before all
    other methods in gray.
    """
    methods = methods_of(rows)
    columns = min(COLUMNS, len(methods))
    lines = -(-len(methods) // columns)
    figure = Figure(figsize=(1 + 2.2 * columns, 1.2 + 2 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for axes, method in zip(panels.flat, methods, strict=False):
        _draw(axes, rows, method, chance)
    for index, axes in enumerate(panels.flat):
        axes.set_visible(index < len(methods))
        # Those that have no panel below them.
        axes.tick_params(labelbottom=index >= len(methods) - columns)
    figure.supylabel("Test accuracy (%)", fontsize=10)
    figure.supxlabel("Compression (weights before / weights after, log scale)", fontsize=10)
    handles = [
        Line2D([], [], color="0.2", marker="o", ms=5, label="as pruned"),
        Line2D([], [], color="0.2", marker="o", ms=5, mfc="white", ls=DASHED, label="shuffled"),
        Line2D([], [], color="0.8", label="other methods, as pruned"),
        Line2D([], [], color="0.6", linestyle=DASHED, lw=1, label="chance"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False)
    return figure


def means(rows: Sequence[MethodRow], kind: str, method: str) -> list[float]:
    """In percent, over seeds, at each compression."""
    chosen = [Row(*row[1:]) for row in rows if row.kind == kind]
    return [100 * cell(chosen, method, power).mean for power in compressions_of(rows)]


def _draw(axes: Axes, rows: Sequence[MethodRow], method: str, chance: float) -> None:
    style, powers = LOOKS[method], compressions_of(rows)
    x = [10**power for power in powers]
    for other in methods_of(rows):
        axes.plot(x, means(rows, "pruned", other), color="0.85", lw=0.9, zorder=1.5)
    accuracy_axis(axes, chance=chance)
    options = {"color": style.color, "marker": style.marker, "ms": 5, "lw": 1.5}
    axes.plot(x, means(rows, "shuffled", method), mfc="white", ls=DASHED, **options)
    axes.plot(x, means(rows, "pruned", method), **options)
    axes.set_title(style.label, fontsize=10)
    compression_axis(axes, powers, most=4)
    tidy(axes, grid="y")


def table(rows: Sequence[MethodRow], seconds: Sequence[TimeRow]) -> str:
    """A line a method: how it prunes, and accuracies as pruned and shuffled."""
    head = ("method", "data", "rounds", "ms", *map(compression_text, compressions_of(rows)))
    lines: list[tuple[str, ...]] = [head]
    for method, rounds, time in seconds:
        pairs = zip(*(means(rows, kind, method) for kind in KINDS), strict=True)
        data = "yes" if rounds_and_data(method, rounds)[1] else ""
        texts = [f"{own:.1f} / {other:.1f}" for own, other in pairs]
        lines.append((method, data, str(rounds), f"{1000 * time:.1f}", *texts))
    note = (
        "Milliseconds to prune once, compiled already; at each compression test accuracy in %, "
        "mean of the seeds:\nunder the mask / under the mask shuffled within layers."
    )
    return f"{note}\n{aligned(lines)}"
