"""The figure and the table of layers' average squared weights over a training."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from experiments.fig5b.experiment import LayerRow, Slopes
from experiments.reporting.axes import DASHED, tidy


def conservation_figure(rows: Sequence[LayerRow], slopes: Mapping[int, Slopes]) -> Figure:
    """Points for the layers and their fitted line at each epoch, beside the slopes over epochs."""
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
    right.axhline(1, color="0.4", linewidth=1, linestyle=DASHED)
    right.text(0, 1.01, "conserved", color="0.35", fontsize=9, va="bottom")
    right.set(xlabel="Epoch", ylabel="Slope")
    right.set_ylim(top=max(1.08, right.get_ylim()[1]))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlabel="1 / weights in the layer", ylabel="Average squared weight of the layer")
    axes.legend(frameon=False, fontsize=9)
    for each in (axes, right):
        tidy(each)
    return figure


def table(rows: Sequence[LayerRow], slopes: Mapping[int, Slopes]) -> str:
    """A line an epoch."""
    lines = [
        "Slope of the log of a layer's average over that of its inverse size (1: conserved),",
        "and the largest sum of squares of a layer over the smallest.\n",
        "epoch  slope of w^2  slope of |w|  largest/smallest  test accuracy",
    ]
    for epoch, (square, magnitude, spread) in slopes.items():
        top1 = next(row.accuracy for row in rows if row.epoch == epoch)
        numbers = f"{square:12.3f}  {magnitude:12.3f}  {spread:16.2f}"
        lines.append(f"{epoch:5}  {numbers}  {100 * top1:12.1f}%")
    return "\n".join(lines)
