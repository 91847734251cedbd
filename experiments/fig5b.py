"""Conservation of squared magnitudes emerges in training.

Figure 5b of Tanaka et al. 2020; run it as python -m experiments.fig5b. Under gradient flow a
network of positively homogeneous activations keeps ``|W_l|^2 - |W_(l+1)|^2`` as it is (Du et al.
2018, arXiv:1806.00900), and weight decay shrinks that difference: the sums of squares of
all layers come to be alike, so a layer's average is the sum times its inverse size and the slope of
their logarithms goes to 1.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import synflow_jax as sf
from experiments.cells import run_cells
from experiments.fig5b_figure import conservation_figure
from experiments.figures import save_figure
from experiments.options import check_range, parse
from experiments.presets import PRESETS
from experiments.runs import check_run_name, open_run
from experiments.task import Task, accuracy, load_task, train_network
from experiments.training import Recipe, TrainState

SMALL_RECIPE = Recipe(80, 0.05, weight_decay=5e-3, batch_size=64)


@dataclass(frozen=True)
class Options:
    """Average squared weight of each layer against its inverse size, over a training (figure 5b of
    Tanaka et al. 2020).

    By default a plain convolutional network without BatchNorm on handwritten digits; nothing is
    downloaded.
    """

    epochs_shown: tuple[int, ...] | None = None
    """Epochs whose layers are drawn, 0 for the initialization; by default 0 and six more to the
    last."""
    seed: int = 0
    """Start of all random numbers."""
    full: bool = False
    """The paper's size: CIFAR-10, which must have been prepared."""
    model: str | None = None
    """A name of synflow_jax.models; by default a plain network, with --full lottery/vgg11-bn. After
    BatchNorm the scale of a layer doesn't matter, and the theorem doesn't bind its sum of
    squares."""
    epochs: int | None = None
    """Epochs of training; by default 80, with --full 160."""
    learning_rate: float | None = None
    """In place of the recipe's learning rate."""
    weight_decay: float | None = None
    """In place of the recipe's weight decay."""
    data_dir: Path | None = None
    """Where data sets were prepared."""
    results: Path = Path("results")
    """Folder for results: they go to fig5b/RUN in it."""
    run: str | None = None
    """Name of this run, by default made from the options."""

    def __post_init__(self) -> None:
        check_range(self, "seed", 0, 2**32 - 1)
        for name, lowest in (("epochs", 1), ("learning_rate", 1e-9), ("weight_decay", 0)):
            if getattr(self, name) is not None:
                check_range(self, name, lowest)
        last = recipe_of(self).epochs
        shown = shown_epochs(self)
        if not all(0 <= epoch <= last for epoch in shown):
            raise ValueError(f"--epochs-shown must be from 0 to {last}, got {shown}")
        check_run_name(self)


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


def main(args: Sequence[str] | None = None) -> None:
    """Runs the experiment that the command line asks for."""
    started = time.perf_counter()
    options = parse(Options, "python -m experiments.fig5b", args)
    network, data = ("lottery/vgg11-bn", "cifar10") if options.full else ("plain-conv", "digits")
    task = load_task(options.model or network, data, recipe_of(options), options.data_dir)
    folder = open_run("fig5b", options, free=("data_dir",))
    cells = {"training": partial(layer_rows, options, task)}
    rows = run_cells(folder, cells, LayerRow)
    slopes = {epoch: slopes_at(rows, epoch) for epoch in shown_epochs(options)}
    save_figure(conservation_figure(rows, slopes), folder / "fig5b")
    print(table(rows, slopes))
    print(f"\n{folder} has rows.csv, config.json, fig5b.png and .svg", end=" ")
    print(f"({time.perf_counter() - started:.0f} s)")


def recipe_of(options: Options) -> Recipe:
    """The recipe with what the options put in its place."""
    recipe = PRESETS["cifar-vgg"] if options.full else SMALL_RECIPE
    names = ("epochs", "learning_rate", "weight_decay")
    given = {name: getattr(options, name) for name in names}
    return replace(recipe, **{name: x for name, x in given.items() if x is not None})


def shown_epochs(options: Options) -> tuple[int, ...]:
    """Epochs whose layers are drawn, rising."""
    last = recipe_of(options).epochs
    shown = options.epochs_shown or [round(last * f) for f in (0, 0.025, 0.1, 0.25, 0.5, 0.75, 1)]
    return tuple(sorted(set(shown)))


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


def table(rows: Sequence[LayerRow], slopes: dict[int, Slopes]) -> str:
    """A line an epoch."""
    lines = [
        "\nSlope of the log of a layer's average over that of its inverse size (1: conserved),",
        "and the largest sum of squares of a layer over the smallest.\n",
        "epoch  slope of w^2  slope of |w|  largest/smallest  test accuracy",
    ]
    for epoch, (square, magnitude, spread) in slopes.items():
        top1 = next(row.accuracy for row in rows if row.epoch == epoch)
        numbers = f"{square:12.3f}  {magnitude:12.3f}  {spread:16.2f}"
        lines.append(f"{epoch:5}  {numbers}  {100 * top1:12.1f}%")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
