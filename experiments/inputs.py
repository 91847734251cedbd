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
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import synflow_jax as sf
from experiments.cells import run_cells
from experiments.digits import CLASSES, Data, split_digits
from experiments.figures import save_figure
from experiments.inputs_drawing import Trained, inputs_figure, table
from experiments.network import SmallMLP
from experiments.options import check_distinct, check_range, parse
from experiments.padded import Images, Padding, digit_share, padded_digits
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


def _create(side: int, key: jax.Array) -> nnx.Module:
    return SmallMLP(side * side, CLASSES, rngs=nnx.Rngs(key))


if __name__ == "__main__":
    main()
