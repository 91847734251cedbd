"""Every padding, compression, input and seed: pruned, trained and tested."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import synflow_jax as sf
from experiments.inputs.options import Options, recipe_of, seeds_of
from experiments.inputs.padded import Padding, digit_share, padded_digits, standardized
from experiments.inputs.rows import Trained
from experiments.method_table import ScoreFn
from experiments.runs.cells import run_cells
from experiments.training import Task, accuracy, make_task, pruned_masks, train_network


def experiment(options: Options, folder: Path) -> list[Trained]:
    """Every padding, compression, input and seed."""
    cells = {}
    for padding in options.paddings:
        task = padding_task(options, padding)
        score_fn = input_score(task.apply_fn)
        for seed in range(seeds_of(options)):
            cells[f"{padding}-{seed}"] = partial(seed_rows, options, padding, seed, task, score_fn)
    return run_cells(folder, cells, Trained)


def padding_task(options: Options, padding: Padding) -> Task:
    """The task on images of a padding; each seed puts its own in their place."""
    data = padded_digits(padding, side_of(options, padding), jax.random.key(0))
    return make_task("small-mlp", data, recipe_of(options), ready=True)


def input_score(apply_fn: Callable[..., Any]) -> ScoreFn:
    """SynFlow's score function with its input as the batch, so that it compiles once for all."""

    def score_fn(params: Any, mask: Any, batch: jax.Array, key: jax.Array | None) -> Any:
        return sf.synflow(apply_fn, batch)(params, mask, None, key)

    return score_fn


def seed_rows(
    options: Options, padding: Padding, seed: int, task: Task, score_fn: ScoreFn
) -> list[Trained]:
    """All compressions and both inputs of one seed."""
    key = jax.random.fold_in(jax.random.key(options.seed), seed)
    network_key, noise_key, training_key = jax.random.split(key, 3)
    side = side_of(options, padding)
    data: Any = padded_digits(padding, side, noise_key)
    task, network = task._replace(data=standardized(data)), task.make(network_key)
    powers = options.log10_compressions
    prune = partial(pruned_masks, score_fn, network.params, powers, rounds=options.rounds)
    mean = data.train.images.mean(axis=0, keepdims=True)
    masks = [prune(batch=x) for x in (jnp.ones_like(mean), mean)]
    rows = []
    for power, ones, other in zip(powers, *masks, strict=True):
        found = np.nan
        for name, mask in (("ones", ones), ("mean", other)):
            layers, common = sf.layer_table(mask, network.params), overlap(mask, ones)
            # Where the masks are the same, so is the training.
            if name == "ones" or common < 1:
                found = tested(task, network, mask, training_key)
            row = Trained(
                padding=padding,
                input=name,
                seed=seed,
                log10_compression=power,
                kept=layers.kept,
                collapsed=len(layers.collapsed),
                overlap=common,
                digit=digit_share(mask, side),
                accuracy=found,
            )
            rows.append(row)
    return rows


def tested(task: Task, network: Any, mask: Any, key: jax.Array) -> float:
    """Test accuracy after a training."""
    state = train_network(task, network, mask, key).state
    return accuracy(task, state, batch_size=task.data.test.size)


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
