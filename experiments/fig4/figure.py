"""The figure and the table of average scores."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from experiments.fig4.experiment import LayerScore, slope
from experiments.method_table import STYLES
from experiments.reporting.axes import tidy
from experiments.reporting.results import methods_of


def table(rows: Sequence[LayerScore], theirs: Sequence[LayerScore]) -> str:
    """The slope of each method, as text."""
    lines = ["Slope of log(average score) against log(1 / layer size):"]
    for method in methods_of(rows):
        published = f"  published {slope(theirs, method):7.4f}" if theirs else ""
        lines.append(f"{method:<10}{slope(rows, method):8.4f}{published}")
    return "\n".join(lines)


def conservation_figure(
    rows: Sequence[LayerScore], theirs: Sequence[LayerScore], model: str
) -> Figure:
    """A panel a method: each layer a marker, hollow ones the published, and their slopes."""
    methods = methods_of(rows)
    figure = Figure(figsize=(0.6 + 2.4 * len(methods), 3.1), layout="constrained")
    panels = figure.subplots(1, len(methods), sharex=True, squeeze=False)[0]
    for axes, method in zip(panels, methods, strict=True):
        style = STYLES[method]
        sources = ((rows, style.color, 5, "ours"), (theirs, "none", 10, "published"))
        for source, face, size, name in sources:
            points = [(r.inverse_size, r.average) for r in source if r.method == method]
            if not points:
                continue
            x, y = np.asarray(points).T
            # Methods are scaled differently here and there; only slopes are comparable.
            label = f"{name}: slope {slope(source, method):.2f}"
            axes.loglog(
                x, y / y[0], style.marker, color=style.color, mfc=face, label=label, ms=size
            )
        ends = np.asarray([min(r.inverse_size for r in rows), max(r.inverse_size for r in rows)])
        axes.plot(ends, ends / ends[-1], color="0.5", linestyle=":", label="slope 1", zorder=1)
        axes.set_title(style.label, fontsize=10)
        axes.set_xlabel("1 / layer size")
        axes.legend(fontsize=7.5, frameon=False, loc="upper left")
        axes.set_ylim(ends[0] / ends[-1] / 3, 300)
        tidy(axes)
    panels[0].set_ylabel("Average score (first layer's = 1)")
    figure.suptitle(f"{model}, untrained", fontsize=9, color="0.35")
    return figure
