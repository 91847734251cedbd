"""A training run on the host: progress, metrics, checkpoints, and going on where a run ended."""

import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from experiments.data import Streamed
from experiments.runs.folders import write_atomically
from experiments.runs.rows import read_rows, rows_csv
from experiments.training.checkpoints import checkpoints, restore, save
from experiments.training.evaluation import evaluate
from experiments.training.placement import check_batch_size, place_state, replicate
from experiments.training.state import Setup, TrainState
from experiments.training.steps import train_epoch
from experiments.training.streamed import evaluate_streamed, train_streamed
from experiments.training.tensorboard import Writer, no_writer, tensorboard_writer


class EpochRow(NamedTuple):
    """One network after one epoch: training metrics are means over its steps."""

    network: int
    epoch: int
    train_loss: float
    train_top1: float
    train_top5: float
    test_loss: float
    test_top1: float
    test_top5: float


class NonFiniteLossError(ArithmeticError):
    """A training loss isn't finite."""


def fit(
    setup: Setup,
    state: TrainState,
    train: Any,
    test: Any,
    *,
    epochs: int,
    folder: Path,
    checkpoint_every: int = 1,
    many: bool = False,
    tensorboard: bool = False,
) -> tuple[TrainState, list[EpochRow]]:
    """Trains until ``epochs`` epochs are done, from the newest checkpoint in ``folder`` if any.

    A run that is killed and started again ends in the same state and writes the same
    ``metrics.csv``, to the last bit on the same machine.

    Args:
        setup: what doesn't change; with a placement, state and examples are put there.
        state: where to start; donated.
        train: images and labels to train on, on the device or streamed.
        test: those to test on after each epoch.
        epochs: when to stop, counted from the beginning of the run.
        folder: for ``metrics.csv`` and ``checkpoints/``.
        checkpoint_every: epochs from one checkpoint to the next; the last epoch has one too.
        many: the state holds several networks, as in `train_epoch`.
        tensorboard: also write event files to ``folder/tensorboard``.

    Raises:
        NonFiniteLossError: a training loss isn't finite; the message says where.
        ValueError: the batch size can't be divided among the devices, or the checkpoint is of
            another network.
    """
    check_batch_size(setup.placement, setup.batch_size)
    state = place_state(setup.placement, state)
    train, test = (_placed(setup, examples) for examples in (train, test))
    first = jax.process_index() == 0
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "metrics.csv"
    with checkpoints(folder / "checkpoints") as manager:
        state = restore(manager, state)
        done = int(np.max(state.epoch))
        rows = [row for row in read_rows(table, EpochRow) if row.epoch <= done]
        open_writer = tensorboard_writer if tensorboard and first else no_writer
        progress = {"total": epochs, "initial": done, "unit": "epoch", "disable": not first}
        bar = tqdm(dynamic_ncols=True, **progress)
        with bar, open_writer(folder / "tensorboard", done + 1) as writer:
            for epoch in range(done + 1, epochs + 1):
                state, new_rows, speed = _epoch(setup, state, train, test, epoch=epoch, many=many)
                rows += new_rows
                if first:
                    text = rows_csv(rows, EpochRow)
                    write_atomically(table, lambda path, text=text: path.write_text(text))
                if epoch % checkpoint_every == 0 or epoch == epochs:
                    save(manager, epoch, state)
                _show(new_rows, speed, bar, writer)
    return state, rows


def _placed(setup: Setup, examples: Any) -> Any:
    return examples if isinstance(examples, Streamed) else replicate(setup.placement, examples)


def _epoch(
    setup: Setup, state: TrainState, train: Any, test: Any, *, epoch: int, many: bool
) -> tuple[TrainState, list[EpochRow], float]:
    """The state after an epoch, a row for each network, and images trained on in a second."""
    started = time.perf_counter()
    if isinstance(train, Streamed):
        state, steps = train_streamed(setup, state, train.batches(epoch))
    else:
        state, steps = train_epoch(setup, state, train, many=many)
    jax.block_until_ready(steps)
    seconds = time.perf_counter() - started
    trained = [np.atleast_2d(np.asarray(x)) for x in steps]
    check_losses(trained[0], epoch)
    if isinstance(test, Streamed):
        metrics = evaluate_streamed(setup, state, test, epoch)
    else:
        metrics = evaluate(setup, state, test, many=many)
    tested = [np.atleast_1d(np.asarray(x)) for x in metrics]
    means = [x.mean(axis=1, dtype=np.float64) for x in trained]
    columns = np.stack([*means, *tested], axis=1).tolist()
    rows = [EpochRow(network, epoch, *values) for network, values in enumerate(columns)]
    return state, rows, steps.loss.size * setup.batch_size / seconds


def check_losses(losses: Any, epoch: int) -> None:
    """Raises NonFiniteLossError naming the first bad step of an epoch's ``(networks, steps)``."""
    bad = np.argwhere(~np.isfinite(losses))
    if len(bad):
        network, step = bad[bad[:, 1].argmin()].tolist()
        raise NonFiniteLossError(
            f"the training loss is {losses[network, step]} in step {step + 1} of epoch {epoch}"
            + (f" of network {network}" if len(losses) > 1 else "")
            + "; lower the learning rate and start anew"
        )


def _show(rows: list[EpochRow], speed: float, bar: Any, writer: Writer) -> None:
    """One epoch on the progress bar (means over networks) and in TensorBoard."""
    loss = math.fsum(row.train_loss for row in rows) / len(rows)
    top1 = math.fsum(row.test_top1 for row in rows) / len(rows)
    bar.set_postfix_str(f"loss {loss:.4f}, test accuracy {top1:.2%}, {speed:,.0f} images/s")
    bar.update()
    writer("images_per_second", speed, rows[0].epoch)
    for row in rows:
        for name, value in list(row._asdict().items())[2:]:
            writer(f"{name}/{row.network}", value, row.epoch)
