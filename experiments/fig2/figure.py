"""The figure and the table of what each layer keeps."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.fig2.rows import LayerKept, critical_compressions, kept_array
from experiments.method_table import STYLES
from experiments.reporting.axes import tidy
from experiments.reporting.results import methods_of

# From dark to yellowish; the lightest part is hard to see on white.
COLORS = colormaps["viridis"]


def layers_figure(rows: Sequence[LayerKept], theirs: Sequence[LayerKept], model: str) -> Figure:
    """A panel a method, a line a layer: the fraction kept against compression, mean over seeds.

    A cross marks the last compression before a layer is empty. The second row is the published
    table's, if there is one.
    """
    methods = methods_of(rows)
    sources = [("", rows)] + ([("published: ", theirs)] if theirs else [])
    figure = Figure(
        figsize=(1.2 + 2.5 * len(methods), 1.1 + 2.6 * len(sources)), layout="constrained"
    )
    panels = figure.subplots(len(sources), len(methods), sharex=True, sharey=True, squeeze=False)
    for line, (prefix, source) in zip(panels, sources, strict=True):
        for axes, method in zip(line, methods, strict=True):
            if method in methods_of(source):
                _draw(axes, source, method)
            axes.set_title(prefix + STYLES[method].label, fontsize=10)
        line[0].set_ylabel("Fraction of weights kept")
    for axes in panels[-1]:
        axes.set_xlabel("Compression")
    layers = len({row.layer for row in rows})
    mappable = ScalarMappable(Normalize(1, layers), COLORS)
    bar = figure.colorbar(mappable, ax=panels, label="Layer, from input to output", pad=0.01)
    bar.set_ticks([1, layers])
    figure.legend(
        handles=[
            Line2D([], [], color="0.2", linestyle="", marker="x", label="then empty"),
            Line2D([], [], color="0.5", linestyle=":", label="all layers alike"),
        ],
        loc="outside lower center",
        ncols=2,
        fontsize=8,
        frameon=False,
    )
    figure.suptitle(f"{model}, untrained: {_weights(rows):,} weights", fontsize=9, color="0.35")
    return figure


def table(rows: Sequence[LayerKept]) -> str:
    """The largest compression with no empty layer, for each method and seed, as text.

    The last line is weights / layers, the most possible but for the rounding of the weights kept.
    """
    lines = ["The largest compression at which no layer is empty, by seed:"]
    for method in methods_of(rows):
        found = critical_compressions(*kept_array(rows, method))
        lines.append(f"{method:<16}" + " ".join(f"{c:12,.1f}" for c in found))
    layers = len({row.layer for row in rows})
    lines.append(f"{'weights / layers':<16}{_weights(rows) / layers:12,.1f}")
    return "\n".join(lines)


def _draw(axes: Axes, rows: Sequence[LayerKept], method: str) -> None:
    compressions, kept = kept_array(rows, method)
    sizes = np.asarray([row.size for row in rows[: kept.shape[2]]])
    density = kept.mean(axis=1) / sizes
    axes.plot(compressions, 1 / compressions, color="0.5", linestyle=":", linewidth=1)
    for layer, fractions in enumerate(density.T):
        color = COLORS(layer / max(1, len(sizes) - 1))
        alive = fractions > 0
        axes.plot(compressions[alive], fractions[alive], color=color, linewidth=1.2)
        if not alive.all():
            last = np.flatnonzero(alive)[-1]
            axes.plot(compressions[last], fractions[last], "x", color=color, ms=5, mew=1.4)
    axes.set_xscale("log")
    axes.set_yscale("log")
    tidy(axes)


def _weights(rows: Sequence[LayerKept]) -> int:
    return sum({row.layer: row.size for row in rows}.values())
