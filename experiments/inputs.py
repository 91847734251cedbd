"""SynFlow's input: ones, as in Tanaka et al. 2020, or the mean training image.

Run it as python -m experiments.inputs. Ones treat all pixels alike, which should cost most where
few of them say anything. So digits of 8x8 pixels are put into the middle of a larger image, whose
other pixels are black or noise, and a network of dense layers is pruned with either input and
trained.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

import synflow_jax as sf
from experiments.cells import run_cells
from experiments.digits import CLASSES, Data, split_digits
from experiments.figures import save_figure
from experiments.network import SmallMLP
from experiments.options import check_distinct, check_range, parse
from experiments.results import compression_text, compressions_of
from experiments.runs import check_run_name, open_run
from experiments.training import (
    Recipe,
    Setup,
    evaluate,
    init_state,
    sgd,
    split_network,
    train_epoch,
)

Padding = Literal["none", "black", "noise"]
Input = Literal["ones", "mean"]
COLORS = {"ones": "#D55E00", "mean": "#0072B2"}
TITLES = {"none": "Digits alone", "black": "Among black pixels", "noise": "Among noise"}
MARKERS = {"ones": "o", "mean": "s"}


@dataclass(frozen=True)
class Options:
    """Prune a network of dense layers by SynFlow with ones or with the mean training image as its
    input, and train it, on digits alone and among pixels that say nothing.
    """

    full: bool = False
    """10 seeds and 60 epochs in place of what the options say."""
    paddings: tuple[Padding, ...] = get_args(Padding)
    """What surrounds the digits: none leaves them as they are, black is 0, noise is uniform,
    independent of the digit, and has the mean of the digits' pixels."""
    side: int = 24
    """Height and width of an image with surroundings; the digit takes 8x8 pixels of it."""
    log10_compressions: tuple[float, ...] = (0.0, 1.0, 2.0, 2.5)
    """log10 of each compression (weights before / weights after)."""
    rounds: int = 100
    """Rounds of SynFlow, on an exponential schedule."""
    seeds: int = 3
    """Runs of each, each with its own initialization, noise and order of the data."""
    seed: int = 0
    """Start of all random numbers."""
    epochs: int = 20
    """Passes over the training images."""
    batch_size: int = 64
    """Images in a training step."""
    learning_rate: float = 0.1
    """Learning rate of the first half; a tenth of it in the second."""
    results: Path = Path("results")
    """Folder for results: they go to inputs/RUN in it."""
    run: str | None = None
    """Name of this run, by default made from the options."""

    def __post_init__(self) -> None:
        for name in ("paddings", "log10_compressions"):
            check_distinct(self, name)
        if not all(0 <= power <= 9 for power in self.log10_compressions):
            listed = " ".join(map(str, self.log10_compressions))
            raise ValueError(f"--log10-compressions must be from 0 to 9, got {listed}")
        for name in ("rounds", "seeds", "epochs"):
            check_range(self, name, 1)
        check_range(self, "side", 9, 64)
        check_range(self, "batch_size", 1, 1024)
        check_range(self, "learning_rate", 1e-9)
        check_range(self, "seed", 0, 2**32 - 1)
        check_run_name(self)


class Trained(NamedTuple):
    """One network pruned with one input, and trained.

    Attributes:
        padding: what surrounds the digits.
        input: SynFlow's.
        seed: which initialization, noise and order of the data.
        log10_compression: log10 of weights before / weights after, as asked for.
        kept: weights left.
        collapsed: layers with nothing left.
        overlap: fraction of the mask's weights that the mask of ones keeps too.
        digit: fraction of the first layer's weights left that read a pixel of the digit.
        accuracy: fraction of the test images that are classified right.
    """

    padding: str
    input: str
    seed: int
    log10_compression: float
    kept: int
    collapsed: int
    overlap: float
    digit: float
    accuracy: float


class Images(NamedTuple):
    """Images from 0 to 1 to train and to test on."""

    train: Data
    test: Data


def main(args: Sequence[str] | None = None) -> None:
    """Runs the experiment that the command line asks for."""
    started = time.perf_counter()
    options = parse(Options, "python -m experiments.inputs", args)
    folder = open_run("inputs", options)
    rows = experiment(options, folder)
    save_figure(inputs_figure(rows), folder / "inputs")
    print(f"\n{table(rows)}")
    print(f"\n{folder} has rows.csv, config.json, inputs.png and .svg", end=" ")
    print(f"({time.perf_counter() - started:.0f} s)")


def experiment(options: Options, folder: Path) -> list[Trained]:
    """Every padding, compression, input and seed."""
    seeds, epochs = (10, 60) if options.full else (options.seeds, options.epochs)
    cells = {}
    for padding in options.paddings:
        side = side_of(options, padding)
        score_fn = input_score(sf.from_nnx(_create(side, jax.random.key(0)))[0])
        train = trainer(options, side, epochs)
        for seed in range(seeds):
            rows = partial(seed_rows, options, padding, seed, score_fn, train)
            cells[f"{padding}-{seed}"] = rows
    return run_cells(folder, cells, Trained)


def input_score(apply_fn: Callable[..., Any]) -> Callable[..., Any]:
    """SynFlow's score function with its input as the batch, so that it compiles once for all."""

    def score_fn(params: Any, mask: Any, batch: jax.Array, key: jax.Array | None) -> Any:
        return sf.synflow(apply_fn, batch)(params, mask, None, key)

    return score_fn


def seed_rows(
    options: Options,
    padding: Padding,
    seed: int,
    score_fn: Callable[..., Any],
    train: Callable[..., float],
) -> list[Trained]:
    """All compressions and both inputs of one seed."""
    key = jax.random.fold_in(jax.random.key(options.seed), seed)
    network_key, noise_key, training_key = jax.random.split(key, 3)
    side = side_of(options, padding)
    images = padded_digits(padding, side, noise_key)
    model = _create(side, network_key)
    _, params = sf.from_nnx(model)
    compressions = [10.0**power for power in options.log10_compressions]
    sweep = partial(sf.sweep, score_fn, params, compressions, rounds=options.rounds)
    mean = images.train.images.mean(axis=0, keepdims=True)
    ones_masks, mean_masks = (sweep(batch=x)[0] for x in (jnp.ones_like(mean), mean))
    rows = []
    for index, power in enumerate(options.log10_compressions):
        ones, other = (jax.tree.map(lambda x, i=index: x[i], m) for m in (ones_masks, mean_masks))
        accuracy = train(model, ones, images, training_key)
        for name, mask in (("ones", ones), ("mean", other)):
            layers, common = sf.layer_table(mask, params), overlap(mask, ones)
            if common < 1:
                accuracy = train(model, mask, images, training_key)
            row = Trained(
                padding=padding,
                input=name,
                seed=seed,
                log10_compression=power,
                kept=layers.kept,
                collapsed=len(layers.collapsed),
                overlap=common,
                digit=digit_share(mask, side),
                accuracy=accuracy,
            )
            rows.append(row)
    return rows


def trainer(options: Options, side: int, epochs: int) -> Callable[..., float]:
    """``(model, mask, images, key)`` to the test accuracy; compiled once for each size."""
    recipe = Recipe(
        epochs,
        options.learning_rate,
        drops=(max(1, epochs // 2),),
        weight_decay=5e-4,
        batch_size=options.batch_size,
    )
    count = len(split_digits()[0].labels)
    graph, _ = split_network(_create(side, jax.random.key(0)))
    setup = Setup(
        graph,
        sgd(recipe, count // recipe.batch_size),
        prepare_train=lambda images, _: images,
        prepare_test=lambda images: images,
        batch_size=recipe.batch_size,
    )

    def train(model: nnx.Module, mask: Any, images: Images, key: jax.Array) -> float:
        mean, deviation = images.train.images.mean(), images.train.images.std()
        train, test = (Data((x - mean) / deviation, labels) for x, labels in images)
        state = init_state(setup, split_network(model)[1], mask, key)
        for _ in range(epochs):
            state, _ = train_epoch(setup, state, train)
        return float(evaluate(setup, state, test, batch_size=len(test.labels)).top1)

    return train


def padded_digits(padding: Padding, side: int, key: jax.Array) -> Images:
    """The digits from 0 to 1 in the middle of images of this side, and what surrounds them."""
    parts = split_digits()
    mean = float(parts[0].images.mean() / 16)

    def part(pixels: Any, key: jax.Array) -> Data:
        shape = (len(pixels.labels), side, side, 1)
        around = jnp.zeros(shape)
        if padding == "noise":
            around = jax.random.uniform(key, shape, maxval=2 * mean)
        middle = _middle(side)
        images = around.at[:, middle, middle].set(jnp.asarray(pixels.images / 16, jnp.float32))
        return Data(images, jnp.asarray(pixels.labels))

    return Images(*map(part, parts, jax.random.split(key)))


def side_of(options: Options, padding: Padding) -> int:
    """Height and width of the images."""
    return 8 if padding == "none" else options.side


def overlap(mask: Any, other: Any) -> float:
    """The fraction of the weights that ``mask`` keeps that ``other`` keeps too.

    >>> overlap({"kernel": np.array([True, True])}, {"kernel": np.array([True, False])})
    0.5
    """
    leaves = [
        (np.asarray(a), np.asarray(b))
        for a, b in zip(jax.tree.leaves(mask), jax.tree.leaves(other), strict=True)
        if np.ndim(a)
    ]
    return sum(int((a & b).sum()) for a, b in leaves) / sum(int(a.sum()) for a, _ in leaves)


def digit_share(mask: Any, side: int) -> float:
    """The fraction of the first dense layer's weights left that read a pixel of the digit."""
    first = next(np.asarray(leaf) for leaf in jax.tree.leaves(mask) if leaf.ndim)
    by_pixel = first.reshape(side, side, -1).sum(axis=-1)
    middle = _middle(side)
    return float(by_pixel[middle, middle].sum() / max(1, by_pixel.sum()))


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
        axes.set_xscale("log")
        axes.set_xticks([10**power for power in powers], [compression_text(p) for p in powers])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(TITLES[padding], fontsize=10)
        axes.set_xlabel("Compression")
        axes.grid(axis="y", color="0.92", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("Test accuracy (%)")
    panels[0].set_ylim(0, 103)
    panels[0].legend(title="SynFlow's input", frameon=False, loc="lower left")
    return figure


def _chosen(rows: Sequence[Trained], padding: str, power: float, name: str) -> list[Trained]:
    wanted = (padding, power, name)
    return [row for row in rows if (row.padding, row.log10_compression, row.input) == wanted]


def _means(rows: Sequence[Trained], padding: str, power: float, name: str) -> np.ndarray:
    """Means of overlap, digit and accuracy."""
    chosen = _chosen(rows, padding, power, name)
    return np.mean([(row.overlap, row.digit, row.accuracy) for row in chosen], axis=0)


def _middle(side: int) -> slice:
    return slice((side - 8) // 2, (side - 8) // 2 + 8)


def _create(side: int, key: jax.Array) -> nnx.Module:
    return SmallMLP(side * side, CLASSES, rngs=nnx.Rngs(key))


if __name__ == "__main__":
    main()
