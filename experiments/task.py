"""A network, a data set and a recipe together: what experiments that train many times share."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

import synflow_jax as sf
from experiments.create import create_network
from experiments.digits import class_batch
from experiments.fit import fit
from experiments.options import refuse
from experiments.training import (
    Network,
    Recipe,
    Setup,
    TrainState,
    evaluate,
    init_state,
    sgd,
    split_network,
    train_epoch,
)


class Task(NamedTuple):
    """What stays the same over the networks that an experiment trains.

    Attributes:
        setup: of training.
        make: a key to an untrained network.
        apply_fn: the network in inference mode.
        data: a data set on the device.
        epochs: of each training.
    """

    setup: Setup
    make: Callable[[jax.Array], Network]
    apply_fn: Callable[[Any, Any], Any]
    data: Any
    epochs: int

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return len(self.data.train.labels) // self.setup.batch_size


class Trained(NamedTuple):
    """A trained network and the mean training loss of its last epoch."""

    state: TrainState
    loss: float


def load_task(model: str, data: str, recipe: Recipe, data_dir: Path | None = None) -> Task:
    """The task on a data set that's there; a missing or wrong one ends the program."""
    # Late, so that --help and mistakes in the options need no data.
    from experiments.data import load

    try:
        return make_task(model, load(data, data_dir), recipe)
    except (ModuleNotFoundError, FileNotFoundError, ValueError) as error:
        refuse(str(error))


def make_task(model: str, data: Any, recipe: Recipe) -> Task:
    """The task; ValueError if there is no such network or the data don't fill a batch."""
    from experiments.data import augmented, normalized

    examples = len(data.train.labels)
    if recipe.batch_size > examples:
        raise ValueError(f"--batch-size is {recipe.batch_size}, more than {examples} images")
    untrained = _model(model, data, jax.random.key(0))
    setup = Setup(
        split_network(untrained)[0],
        sgd(recipe, examples // recipe.batch_size),
        partial(augmented, data.preprocessing),
        partial(normalized, data.preprocessing),
        recipe.batch_size,
    )

    def make(key: jax.Array) -> Network:
        return split_network(_model(model, data, key))[1]

    return Task(setup, make, sf.from_nnx(untrained)[0], data, recipe.epochs)


def _model(model: str, data: Any, key: jax.Array) -> nnx.Module:
    shape = data.train.images.shape[1:]
    return create_network(model, classes=data.classes, input_shape=shape, rngs=nnx.Rngs(key))


def scoring_batch(task: Task, key: jax.Array, per_class: int = 10) -> tuple[jax.Array, jax.Array]:
    """Images, ready for the network, and labels that SNIP and GraSP score with."""
    batch = class_batch(task.data.train, key, per_class)
    return task.setup.prepare_test(batch.images), batch.labels


def train_network(
    task: Task,
    network: Network,
    mask: Any,
    key: jax.Array,
    *,
    epochs: int | None = None,
    folder: Path | None = None,
    after_epoch: Callable[[TrainState], object] | None = None,
) -> Trained:
    """The network after all epochs.

    Args:
        task: what to train on and how.
        network: params and other state to start from.
        mask: weights that take part.
        key: order of the data and augmentation.
        epochs: by default the task's.
        folder: for metrics and checkpoints, from which a training that was killed goes on.
            Without one nothing is written.
        after_epoch: called with the state after each epoch; only without ``folder``.
    """
    epochs = task.epochs if epochs is None else epochs
    state = init_state(task.setup, network, mask, key)
    train, test = task.data.train, task.data.test
    if folder is not None:
        state, rows = fit(task.setup, state, train, test, epochs=epochs, folder=folder)
        return Trained(state, rows[-1].train_loss)
    losses = np.full(1, np.nan)
    for _ in range(epochs):
        state, metrics = train_epoch(task.setup, state, train)
        losses = metrics.loss
        if after_epoch is not None:
            after_epoch(state)
    return Trained(state, float(np.asarray(losses).mean(dtype=np.float64)))


def accuracy(task: Task, state: TrainState) -> float:
    """Fraction of the test images classified right."""
    return float(evaluate(task.setup, state, task.data.test).top1)
