"""Every compression: pruned, and trained under the mask and small, with the time of each epoch."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax

import synflow_jax as sf
from experiments.compact.options import Options
from experiments.method_table import score_fns
from experiments.runs.cells import run_cells
from experiments.training import (
    Member,
    Network,
    Task,
    TrainState,
    accuracy,
    compacted,
    make_member,
    pruned_masks,
    train_network,
)


class EpochRow(NamedTuple):
    """A network after an epoch; epoch 0 is before the first.

    Attributes:
        log10_compression: log10 of weights before / weights after pruning.
        way: masked or compact.
        epoch: epochs done.
        weights: of the whole network.
        kept: those that the mask keeps.
        left: weights of the network that was trained.
        pruning_seconds: from the scores to the mask, with compilation.
        compilation_seconds: a first epoch, which is thrown away, with compilation.
        seconds: compaction and training up to here, without compilation and tests.
        accuracy: fraction of the test images that are classified right.
    """

    log10_compression: float
    way: str
    epoch: int
    weights: int
    kept: int
    left: int
    pruning_seconds: float
    compilation_seconds: float
    seconds: float
    accuracy: float


def experiment(options: Options, task: Task, folder: Path) -> list[EpochRow]:
    """Every compression, masked and compact."""
    member = make_member(task, options.seed, 0, needs_data=False)
    cells = {
        f"{power}": partial(power_rows, options, task, member, power)
        for power in options.log10_compressions
    }
    return run_cells(folder, cells, EpochRow)


def power_rows(options: Options, task: Task, member: Member, power: float) -> list[EpochRow]:
    """All epochs at one compression, one way after the other."""
    started = time.perf_counter()
    score_fn = score_fns(task.apply_fn, task.data.train.shape)["synflow"]
    (mask,) = pruned_masks(score_fn, member.network.params, [power], rounds=options.rounds)
    pruning = time.perf_counter() - started
    layers = sf.layer_table(mask, member.network.params)
    rows = []
    for way, make in (("masked", as_it_is), ("compact", compacted)):
        found = curve(make, task, member.network, mask, member.training_key)
        same = layers.size, layers.kept, found.left, pruning, found.compilation
        rows += [EpochRow(power, way, i, *same, *point) for i, point in enumerate(found.points)]
    return rows


def as_it_is(task: Task, network: Network, mask: Any) -> tuple[Task, Network, Any]:
    """The network under its mask."""
    return task, network, mask


class Curve(NamedTuple):
    """A training: weights of the network, seconds of an epoch with compilation, and after each
    epoch the seconds so far, without that one, and the test accuracy.
    """

    left: int
    compilation: float
    points: list[tuple[float, float]]


def curve(
    make: Callable[..., tuple[Task, Network, Any]],
    task: Task,
    network: Network,
    mask: Any,
    key: jax.Array,
) -> Curve:
    """The training of the network that ``make`` gives."""
    started = time.perf_counter()
    task, network, mask = make(task, network, mask)
    seconds = time.perf_counter() - started
    state, compilation = timed(lambda: train_network(task, network, mask, key, epochs=1).state)
    accuracy(task, state)
    points, begun = [], time.perf_counter()

    def record(state: TrainState) -> None:
        nonlocal seconds, begun
        jax.block_until_ready(state)
        seconds += time.perf_counter() - begun
        points.append((seconds, accuracy(task, state)))
        begun = time.perf_counter()

    record(train_network(task, network, mask, key, epochs=0).state)
    train_network(task, network, mask, key, after_epoch=record)
    return Curve(sf.layer_table(mask, network.params).size, compilation, points)


def timed(fn: Callable[[], Any]) -> tuple[Any, float]:
    """What ``fn`` returns, and the seconds until it's there."""
    started = time.perf_counter()
    result = jax.block_until_ready(fn())
    return result, time.perf_counter() - started
