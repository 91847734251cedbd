"""The figure and the table of sparse training."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.reporting.axes import DASHED, accuracy_axis, compression_axis, tidy
from experiments.reporting.results import aligned
from experiments.sparse_training.experiment import EpochRow
from experiments.sparse_training.ways import WAYS


def chosen(rows: Sequence[EpochRow], way: str, compression: float) -> list[EpochRow]:
    """All epochs of all seeds."""
    return [row for row in rows if (row.way, row.compression) == (way, compression)]


def ways_of(rows: Sequence[EpochRow]) -> list[str]:
    """Each way once, in the order of the rows."""
    return list(dict.fromkeys(row.way for row in rows))


def compressions_of(rows: Sequence[EpochRow]) -> list[float]:
    """Each compression once, rising."""
    return sorted({row.compression for row in rows})


def final_accuracies(rows: Sequence[EpochRow], way: str, compression: float) -> list[float]:
    """Of the seeds, after the last epoch."""
    found = chosen(rows, way, compression)
    last = max(row.epoch for row in found)
    return [row.accuracy for row in found if row.epoch == last]


def over_epochs(
    rows: Sequence[EpochRow], way: str, compression: float, share: Callable[[EpochRow], float]
) -> list[float]:
    """Means over seeds, epoch by epoch."""
    found = chosen(rows, way, compression)
    epochs = sorted({row.epoch for row in found})
    return [float(np.mean([share(r) for r in found if r.epoch == epoch])) for epoch in epochs]


def training_figure(rows: Sequence[EpochRow]) -> Figure:
    """Accuracy against compression; and of the middle compression, which weights came and went."""
    compressions = compressions_of(rows)
    middle = [r for r in rows if r.compression == compressions[len(compressions) // 2]]
    figure = Figure(figsize=(13, 4.8), layout="constrained")
    left, center, right = figure.subplots(1, 3)
    _draw_accuracies(left, rows, compressions)
    _draw_taking_part(center, middle)
    _draw_last_mask(right, middle)
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
    )
    return figure


def _draw_accuracies(axes: Axes, rows: Sequence[EpochRow], compressions: Sequence[float]) -> None:
    seeds = len({row.seed for row in rows})
    for way in ways_of(rows):
        found = [final_accuracies(rows, way, compression) for compression in compressions]
        style, means = WAYS[way].style, [100 * float(np.mean(each)) for each in found]
        axes.plot(compressions, means, color=style.color, label=style.label, lw=1.5)
        axes.lines[-1].set(marker=style.marker, markersize=6)
    compression_axis(axes, [math.log10(c) for c in compressions], most=10)
    accuracy_axis(axes)
    tidy(axes)
    axes.set_title(
        f"{rows[0].weights:,} weights; mean of {seeds} seeds", loc="left", fontsize=9, color="0.35"
    )
    axes.set_xlabel("Compression (log scale)")
    axes.set_ylabel("Test accuracy (%)")


def _draw_taking_part(axes: Axes, rows: Sequence[EpochRow]) -> None:
    """Weights in the mask and, where the mask changes for others, all that ever were."""
    for way in ways_of(rows):
        kept = _shares(rows, way, lambda row: row.kept / row.weights)
        _draw(axes, way, kept)
        ever = _shares(rows, way, lambda row: row.ever / row.weights)
        if kept[0] < ever[-1] < 100:
            axes.plot(ever, color=WAYS[way].style.color, linestyle=DASHED, lw=1.3)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel("Of all weights (%, log scale)")
    _label_epochs(axes, rows, "in the mask; dashed: that ever were")


def _draw_last_mask(axes: Axes, rows: Sequence[EpochRow]) -> None:
    """How much of the last mask was there when, of ways that take weights in."""
    last = {row.way: row.kept for row in rows}
    for way in ways_of(rows):
        shares = _shares(rows, way, lambda row: row.last / last[row.way])
        if shares[0] < 100:
            _draw(axes, way, shares)
    axes.set_ylim(0, 103)
    axes.set_ylabel("Of the last mask's weights (%)")
    _label_epochs(axes, rows, "of the last mask that are there")


def _shares(rows: Sequence[EpochRow], way: str, share: Callable[[EpochRow], float]) -> list[float]:
    """In percent, epoch by epoch."""
    return [100 * each for each in over_epochs(rows, way, rows[0].compression, share)]


def _draw(axes: Axes, way: str, values: Sequence[float]) -> None:
    style = WAYS[way].style
    axes.plot(values, color=style.color, marker=style.marker, ms=4, lw=1.3)


def _label_epochs(axes: Axes, rows: Sequence[EpochRow], what: str) -> None:
    title = f"Compression {rows[0].compression:g}: weights {what}"
    axes.set_title(title, loc="left", fontsize=9, color="0.35")
    axes.set_xlabel("Epoch")
    tidy(axes)


def table(rows: Sequence[EpochRow]) -> str:
    """Test accuracy, and the share of all weights that ever took part: a line a way."""
    compressions = compressions_of(rows)
    head = ("way", *(f"{c:g}" for c in compressions), *(f"ever at {c:g}" for c in compressions))
    lines: list[tuple[str, ...]] = [head]
    for way in ways_of(rows):
        found = [final_accuracies(rows, way, c) for c in compressions]
        ever = [
            over_epochs(rows, way, c, lambda row: row.ever / row.weights)[-1] for c in compressions
        ]
        lines.append((way, *map(_range, found), *(f"{100 * share:.1f}%" for share in ever)))
    note = (
        "Test accuracy in % at each compression: mean (lowest-highest) of the seeds; and of all "
        "weights,\nhow many ever took part."
    )
    return f"{note}\n{aligned(lines)}"


def _range(accuracies: Sequence[float]) -> str:
    mean, lowest, highest = (100 * f(accuracies) for f in (np.mean, min, max))
    return f"{mean:.1f} ({lowest:.1f}-{highest:.1f})"
