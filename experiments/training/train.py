"""The one way to train a pruned network; what differs between studies are its arguments."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.training.evaluation import evaluate
from experiments.training.fit import EpochRow, fit
from experiments.training.state import Network, TrainState, init_state
from experiments.training.steps import train_epoch, train_in_one_call
from experiments.training.task import Task


class Trained(NamedTuple):
    """What a training gave.

    Attributes:
        state: after the last epoch.
        loss: mean training loss of the last epoch, of the last network if there are several.
        rows: each epoch's metrics, where they were kept on disk.
    """

    state: TrainState
    loss: float
    rows: tuple[EpochRow, ...] = ()


def train_network(
    task: Task,
    network: Network,
    mask: Any,
    key: jax.Array,
    *,
    epochs: int | None = None,
    folder: Path | None = None,
    after_epoch: Callable[[TrainState], object] | None = None,
    one_call: bool = False,
) -> Trained:
    """A pruned network after all epochs.

    Args:
        task: what to train on and how.
        network: params and other state to start from.
        mask: weights that take part.
        key: order of the data and augmentation.
        epochs: by default the task's.
        folder: for metrics and checkpoints, from which a training that was killed goes on.
            Without one nothing is written.
        after_epoch: called with the state after each epoch; only without ``folder``.
        one_call: all epochs are one compiled call, which two threads may make at a time, with other
            orders of the data; without ``folder`` and ``after_epoch``. On 2 CPU cores an epoch of
            6 small networks took 0.05 s each so (best of 4); from one thread it took 0.09 s, by
            ``lax.map`` over networks 0.10 s, by ``vmap`` 0.09 s and longer to compile.
    """
    epochs = task.epochs if epochs is None else epochs
    if one_call:
        train = task.data.train
        state, losses = train_in_one_call(task.setup, network, mask, train, key, epochs=epochs)
        return Trained(state, float(losses[-(len(losses) // epochs) :].mean()))
    state = init_state(task.setup, network, mask, key)
    return train_state(task, state, epochs=epochs, folder=folder, after_epoch=after_epoch)


def train_state(
    task: Task,
    state: TrainState,
    *,
    epochs: int,
    folder: Path | None = None,
    after_epoch: Callable[[TrainState], object] | None = None,
    **kept: Any,
) -> Trained:
    """`train_network` from a state, of one network or of several; ``kept`` goes to `fit`."""
    train, test = task.data.train, task.data.test
    if folder is not None:
        state, rows = fit(task.setup, state, train, test, epochs=epochs, folder=folder, **kept)
        return Trained(state, rows[-1].train_loss, tuple(rows))
    losses = np.full(1, np.nan)
    for _ in range(epochs):
        state, metrics = train_epoch(task.setup, state, train)
        losses = metrics.loss
        if after_epoch is not None:
            after_epoch(state)
    return Trained(state, float(np.asarray(losses).mean(dtype=np.float64)))


def accuracy(task: Task, state: TrainState, *, batch_size: int = 256) -> float:
    """Fraction of the test images classified right, by batches."""
    return float(evaluate(task.setup, state, task.data.test, batch_size=batch_size).top1)


def loss_and_accuracy(
    task: Task, network: Network, mask: Any, key: jax.Array, place: Path | None
) -> tuple[float, float]:
    """The last epoch's loss and the test accuracy.

    A training in a ``place`` has checkpoints there until it's done: one that was killed goes on
    from its last epoch. Without one, all epochs are one call.
    """
    if place is None:
        state, loss, _ = train_network(task, network, mask, key, one_call=True)
        return loss, accuracy(task, state, batch_size=task.data.test.size)
    _, loss, epochs = train_network(task, network, mask, key, folder=place)
    shutil.rmtree(place)
    return loss, epochs[-1].test_top1
