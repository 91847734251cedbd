"""Figure of layers' average squared weights against inverse sizes, over a training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure


def conservation_figure(rows: Sequence[Any], slopes: Mapping[int, Any]) -> Figure:
    """Points for the layers and their fitted line at each epoch, beside the slopes over epochs.

    Args:
        rows: of layers, with epoch, size and mean_square.
        slopes: by epoch, with square.
    """
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    axes, right = figure.subplots(1, 2, width_ratios=(3, 2))
    colors = colormaps["viridis"](np.linspace(0, 0.9, len(slopes)))
    for color, marker, (epoch, each) in zip(colors, "osD^v<>PX*", slopes.items(), strict=False):
        layers = [row for row in rows if row.epoch == epoch]
        x = np.array([1 / row.size for row in layers])
        y = np.array([row.mean_square for row in layers])
        label = f"epoch {epoch}: slope {each.square:.2f}"
        axes.plot(x, y, marker, color=color, label=label, markersize=6)
        ends = np.array([x.min(), x.max()])
        middle = np.exp(np.log(y).mean() - each.square * np.log(x).mean())
        axes.plot(ends, middle * ends**each.square, color=color, linewidth=1)
        right.plot(epoch, each.square, marker, color=color, markersize=7, zorder=3)
    right.plot(list(slopes), [each.square for each in slopes.values()], color="0.5", linewidth=1)
    right.axhline(1, color="0.4", linewidth=1, linestyle=(0, (4, 3)))
    right.text(0, 1.01, "conserved", color="0.35", fontsize=9, va="bottom")
    right.set(xlabel="Epoch", ylabel="Slope")
    right.set_ylim(top=max(1.08, right.get_ylim()[1]))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlabel="1 / weights in the layer", ylabel="Average squared weight of the layer")
    axes.legend(frameon=False, fontsize=9)
    for each in (axes, right):
        each.grid(color="0.93", linewidth=0.8)
        each.spines[["top", "right"]].set_visible(False)
    return figure
