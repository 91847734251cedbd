"""Every way, compression and seed: trained, with the mask after each epoch."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import synflow_jax as sf
from experiments.runs.cells import run_cells
from experiments.sparse_training.options import Options
from experiments.sparse_training.ways import WAYS, Asked, Start, Way
from experiments.training import (
    Member,
    Setup,
    Task,
    TrainState,
    accuracy,
    make_member,
    train_network,
)


class EpochRow(NamedTuple):
    """A network after an epoch; epoch 0 is before the first.

    Attributes:
        way: how it's trained.
        compression: weights before / weights after, as asked for.
        seed: which initialization, random mask and order of the data.
        epoch: epochs done.
        weights: prunable weights.
        kept: those in the mask.
        new: of these, how many weren't in it an epoch before.
        ever: weights that were in the mask after any epoch so far.
        last: of the weights in the last epoch's mask, how many are in this one.
        accuracy: fraction of the test images classified right.
    """

    way: str
    compression: float
    seed: int
    epoch: int
    weights: int
    kept: int
    new: int
    ever: int
    last: int
    accuracy: float


def experiment(options: Options, task: Task, folder: Path) -> list[EpochRow]:
    """All ways and compressions."""
    members = [
        make_member(task, options.seed, seed, needs_data=False) for seed in range(options.seeds)
    ]
    start_of = starts(options, task)

    def rows(name: str, compression: float) -> list[EpochRow]:
        key = jax.random.fold_in(jax.random.key(options.seed), len(members))
        asked = Asked(task, compression, options.fraction, options.strength, key)
        return way_rows(name, asked, members, partial(start_of, WAYS[name].start, compression))

    cells = {
        f"{name}-{compression:g}": partial(rows, name, compression)
        for name in options.ways
        for compression in options.compressions
    }
    return run_cells(folder, cells, EpochRow, workers=options.workers)


def starts(options: Options, task: Task) -> Callable[[Start, float, Member], Any]:
    """``(start, compression, member)`` to the mask of the first step."""
    # Made once, or each mask compiles anew.
    synflow = sf.synflow(task.apply_fn, jax.ShapeDtypeStruct((1, *task.data.train.shape), float))
    random = sf.random()

    def mask_of(start: Start, compression: float, member: Member) -> Any:
        params = member.network.params
        if start == "dense":
            return sf.full_mask(params)
        if start == "synflow":
            return sf.prune(synflow, params, compression, rounds=options.synflow_rounds)[0]
        chosen = {"select": sf.erdos_renyi_kernel, "key": member.pruning_key}
        return sf.prune(random, params, compression, rounds=1, **chosen)[0]

    return mask_of


def way_rows(
    name: str, asked: Asked, members: Sequence[Member], start_of: Callable[[Member], Any]
) -> list[EpochRow]:
    """All seeds of a way at one compression."""
    masks = [start_of(member) for member in members]
    # Rewiring exchanges as many weights as of the first mask, so that one compilation serves all.
    setup = WAYS[name].setup(asked, masks[0])
    rows = []
    for member, mask in zip(members, masks, strict=True):
        found, accuracies = trained(WAYS[name], asked, setup, member, mask)
        pairs = zip(described(found), accuracies, strict=True)
        for epoch, (counts, top1) in enumerate(pairs):
            rows.append(EpochRow(name, asked.compression, member.seed, epoch, *counts, top1))
    return rows


def trained(
    way: Way, asked: Asked, setup: Setup, member: Member, mask: Any
) -> tuple[list[np.ndarray], list[float]]:
    """The mask and the test accuracy before the first epoch and after each."""
    task = asked.task._replace(setup=setup)
    mask_fn = jax.jit(way.mask_fn(asked)) if way.mask_fn else None
    masks, accuracies = [], []

    def record(state: TrainState) -> None:
        now = mask_fn(state.params) if mask_fn else sf.mask_of(state.optimizer_state)
        masks.append(flat(now))
        tested = state._replace(params=sf.apply_mask(now, state.params))
        accuracies.append(accuracy(asked.task, tested))

    record(train_network(task, member.network, mask, member.training_key, epochs=0).state)
    train_network(task, member.network, mask, member.training_key, after_epoch=record)
    return masks, accuracies


def flat(mask: Any) -> np.ndarray:
    """Whether each prunable weight is kept, in one array."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(mask) if leaf.ndim])


def described(masks: Sequence[np.ndarray]) -> list[tuple[int, int, int, int, int]]:
    """Of each mask the columns from `weights` to `last` of a row.

    >>> described([np.array([True, True, False]), np.array([True, False, True])])
    [(3, 2, 0, 2, 1), (3, 2, 1, 3, 2)]
    """
    counts, before, ever = [], masks[0], np.zeros_like(masks[0])
    for mask in masks:
        ever = ever | mask
        parts = (mask, mask & ~before, ever, mask & masks[-1])
        counts.append((mask.size, *(int(part.sum()) for part in parts)))
        before = mask
    return counts
