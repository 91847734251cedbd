"""Figure of ablations: accuracy against compression, a panel a method, a line an ablation."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.method_table import STYLES, Style
from experiments.reporting.axes import accuracy_axis, compression_axis, tidy
from experiments.reporting.results import Row, cell, compressions_of, methods_of

ABLATIONS = {
    "none": Style("as pruned", "#000000", "o"),
    "shuffle": Style("shuffled within layers", "#0072B2", "s"),
    "reinitialize": Style("reinitialized", "#E69F00", "^"),
    "invert": Style("scores inverted", "#CC79A7", "v"),
}


def ablations_figure(rows: Mapping[str, Sequence[Row]], chance: float) -> Figure:
    """Mean test accuracy and its range over seeds.

    Args:
        rows: of each ablation.
        chance: accuracy of a guess.
    """
    methods = methods_of(next(iter(rows.values())))
    figure = Figure(figsize=(1.2 + 2.2 * len(methods), 3.4), layout="constrained")
    panels = figure.subplots(1, len(methods), sharey=True, squeeze=False)[0]
    for axes, method in zip(panels, methods, strict=True):
        for index, (name, chosen) in enumerate(rows.items()):
            _draw(axes, chosen, method, ABLATIONS[name], aside=0.03 * (index - len(rows) / 2))
        accuracy_axis(axes, chance=chance)
        axes.set_title(STYLES[method].label, fontsize=10)
        compression_axis(axes, compressions_of(next(iter(rows.values()))), most=4)
        tidy(axes, grid="y")
    panels[0].set_ylabel("Test accuracy (%)")
    figure.supxlabel("Compression (weights before / weights after, log scale)", fontsize=10)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(rows), frameon=False)
    return figure


def _draw(axes: Axes, rows: Sequence[Row], method: str, style: Style, *, aside: float) -> None:
    powers = compressions_of(rows)
    cells = [cell(rows, method, power) for power in powers]
    means = [100 * each.mean for each in cells]
    below = [100 * (each.mean - each.lowest) for each in cells]
    above = [100 * (each.highest - each.mean) for each in cells]
    axes.errorbar(
        [10 ** (power + aside) for power in powers],
        means,
        yerr=(below, above),
        color=style.color,
        marker=style.marker,
        label=style.label,
        linewidth=1.4,
        elinewidth=0.9,
        markersize=5,
    )
