"""The table and the figure of SynFlow's inputs."""

from collections.abc import Sequence
from typing import get_args

import numpy as np
from matplotlib.figure import Figure

from experiments.inputs.rows import Input, Trained
from experiments.reporting.axes import accuracy_axis, compression_axis, tidy
from experiments.reporting.results import compression_text, compressions_of

COLORS = {"ones": "#D55E00", "mean": "#0072B2"}
TITLES = {"none": "Digits alone", "black": "Among black pixels", "noise": "Among noise"}
MARKERS = {"ones": "o", "mean": "s"}


def table(rows: Sequence[Trained]) -> str:
    """Means over seeds, as text, a line for each padding and compression."""
    lines = [
        f"{'':<18}{'test accuracy in %':^24}{'masks':>8}{'digit pixels in %':>22}",
        f"{'padding':<8}{'compression':>12}{'ones':>10}{'mean image':>12}{'overlap':>10}"
        f"{'ones':>9}{'mean image':>12}",
    ]
    for padding in dict.fromkeys(row.padding for row in rows):
        for power in compressions_of(rows):
            ones, mean = (_means(rows, padding, power, name) for name in get_args(Input))
            lines.append(
                f"{padding:<8}{compression_text(power):>12}{100 * ones[2]:10.1f}"
                f"{100 * mean[2]:12.1f}{mean[0]:10.3f}{100 * ones[1]:9.1f}{100 * mean[1]:12.1f}"
            )
    return "\n".join(lines)


def inputs_figure(rows: Sequence[Trained]) -> Figure:
    """A panel a padding: accuracy against compression with either input, and the range of seeds."""
    paddings = list(dict.fromkeys(row.padding for row in rows))
    powers = compressions_of(rows)
    figure = Figure(figsize=(0.8 + 2.7 * len(paddings), 3.2), layout="constrained")
    panels = figure.subplots(1, len(paddings), sharey=True, squeeze=False)[0]
    for axes, padding in zip(panels, paddings, strict=True):
        for name in get_args(Input):
            values = 100 * np.asarray(
                [[r.accuracy for r in _chosen(rows, padding, p, name)] for p in powers]
            )
            x, color = [10**power for power in powers], COLORS[name]
            axes.fill_between(x, values.min(1), values.max(1), color=color, alpha=0.15, linewidth=0)
            axes.plot(x, values.mean(1), color=color, marker=MARKERS[name], label=name)
        compression_axis(axes, powers, most=len(powers))
        axes.set_title(TITLES[padding], fontsize=10)
        axes.set_xlabel("Compression")
        tidy(axes, grid="y")
    panels[0].set_ylabel("Test accuracy (%)")
    accuracy_axis(panels[0])
    panels[0].legend(title="SynFlow's input", frameon=False, loc="lower left")
    return figure


def _chosen(rows: Sequence[Trained], padding: str, power: float, name: str) -> list[Trained]:
    wanted = (padding, power, name)
    return [row for row in rows if (row.padding, row.log10_compression, row.input) == wanted]


def _means(rows: Sequence[Trained], padding: str, power: float, name: str) -> np.ndarray:
    """Means of overlap, digit and accuracy."""
    chosen = _chosen(rows, padding, power, name)
    return np.mean([(row.overlap, row.digit, row.accuracy) for row in chosen], axis=0)
