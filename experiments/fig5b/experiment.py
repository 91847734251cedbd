"""Every layer's average at initialization and over a training."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

import synflow_jax as sf
from experiments.fig5b.options import Options, shown_epochs
from experiments.training import Task, TrainState, accuracy, train_network


class LayerRow(NamedTuple):
    """One layer after an epoch.

    Attributes:
        epoch: epochs of training done.
        layer: name of its kernel.
        size: weights.
        mean_square: mean ``w^2``.
        mean_magnitude: mean ``|w|``.
        accuracy: of the network, on the test images.
    """

    epoch: int
    layer: str
    size: int
    mean_square: float
    mean_magnitude: float
    accuracy: float


def layer_rows(options: Options, task: Task) -> list[LayerRow]:
    """Every layer at initialization and after each epoch that is shown."""
    network_key, training_key = jax.random.split(jax.random.key(options.seed))
    network = task.make(network_key)
    rows: list[LayerRow] = []

    def record(state: TrainState) -> None:
        if int(state.epoch) in shown_epochs(options):
            rows.extend(layers_of(state.params, int(state.epoch), accuracy(task, state)))

    mask = sf.full_mask(network.params)
    if 0 in shown_epochs(options):
        record(train_network(task, network, mask, training_key, epochs=0).state)
    train_network(task, network, mask, training_key, after_epoch=record)
    return rows


def layers_of(params: Any, epoch: int, top1: float) -> list[LayerRow]:
    """A row for each prunable parameter."""
    table = sf.layer_table(sf.full_mask(params), params)
    kernels = [np.asarray(x, np.float64) for x in jax.tree.leaves(params) if x.ndim >= 2]
    return [
        LayerRow(epoch, row.name, row.size, np.mean(w**2).item(), np.mean(np.abs(w)).item(), top1)
        for row, w in zip(table.rows, kernels, strict=True)
    ]


class Slopes(NamedTuple):
    """Slopes of log averages over log inverse sizes, and the spread of the layers' sums of squares:
    the largest over the smallest.
    """

    square: float
    magnitude: float
    spread: float


def slopes_at(rows: Sequence[LayerRow], epoch: int) -> Slopes:
    """Least squares over the layers after an epoch."""
    layers = [row for row in rows if row.epoch == epoch]
    sums = [row.size * row.mean_square for row in layers]
    return Slopes(
        slope(layers, "mean_square"), slope(layers, "mean_magnitude"), max(sums) / min(sums)
    )


def slope(layers: Sequence[LayerRow], value: str) -> float:
    """Slope of log ``value`` over log inverse size.

    >>> slope([LayerRow(0, "", n, 2 / n, 0.0, 0.0) for n in (10, 100, 1000)], "mean_square")
    1.0
    """
    x = -np.log10([row.size for row in layers])
    y = np.log10([getattr(row, value) for row in layers])
    return round(float(np.polyfit(x, y, 1)[0]), 12)
