"""Every method, compression and seed: pruned, shuffled, trained; and the time of pruning."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax

import synflow_jax as sf
from experiments.method_table import pruning_of, score_fns
from experiments.methods.options import Options
from experiments.reporting.results import result_row
from experiments.runs.cells import once, run_cells
from experiments.training import (
    Member,
    Task,
    loss_and_accuracy,
    make_member,
    pruned_masks,
    shuffled,
)

KINDS = ("pruned", "shuffled")


class MethodRow(NamedTuple):
    """A `Row`, and whether the mask is as pruned or shuffled."""

    kind: str
    method: str
    seed: int
    log10_compression: float
    weights: int
    kept: int
    collapsed: int
    loss: float
    accuracy: float


class TimeRow(NamedTuple):
    """How many rounds a method took, and the seconds of a mask, compiled already."""

    method: str
    rounds: int
    seconds: float


Masks = Mapping[tuple[str, int], Callable[[], list[Any]]]
"""By method and seed, what makes the masks of all compressions."""


def members_of(options: Options, task: Task) -> list[Member]:
    """One for each seed."""
    return [
        make_member(task, options.seed, seed, per_class=options.scoring_images)
        for seed in range(options.seeds)
    ]


def prunings(options: Options, task: Task, members: Sequence[Member]) -> Masks:
    """What prunes each network by each method."""
    scores = score_fns(task.apply_fn, task.data.train.shape)
    return {
        (method, member.seed): partial(
            pruned_masks,
            scores[method],
            member.network.params,
            sorted(options.log10_compressions),
            key=member.pruning_key,
            batch=member.batch,
            **pruning_of(method, options.rounds),
        )
        for method in options.methods
        for member in members
    }


def experiment(
    options: Options, task: Task, members: Sequence[Member], prune: Masks, folder: Path
) -> list[MethodRow]:
    """Every method, compression and seed, under the mask and under the shuffled one."""
    masks = {name: once(each) for name, each in prune.items()}
    powers = sorted(options.log10_compressions)

    def rows(kind: str, method: str, index: int, member: Member) -> list[MethodRow]:
        network, key = member.network, member.training_key
        mask = masks[method, member.seed]()[index]
        if kind == "shuffled":
            mask = shuffled(mask, jax.random.fold_in(member.pruning_key, index))
        loss, found = loss_and_accuracy(task, network, mask, key, None)
        layers = sf.layer_table(mask, network.params)
        row = result_row(method, member.seed, powers[index], layers, loss=loss, accuracy=found)
        return [MethodRow(kind, *row)]

    # Methods change fastest, so that each thread compiles another one.
    cells = {
        f"{kind}-{method}-{powers[index]}-{member.seed}": partial(rows, kind, method, index, member)
        for member in members
        for index in range(len(powers))
        for kind in KINDS
        for method in options.methods
    }
    return run_cells(folder, cells, MethodRow, workers=options.workers)


def times(options: Options, prune: Masks, folder: Path) -> list[TimeRow]:
    """Of each method, with nothing else going on."""

    def rows(method: str) -> list[TimeRow]:
        prune[method, 0]()
        started = time.perf_counter()
        prune[method, 0]()
        seconds = (time.perf_counter() - started) / len(options.log10_compressions)
        return [TimeRow(method, pruning_of(method, options.rounds)["rounds"], seconds)]

    cells = {method: partial(rows, method) for method in options.methods}
    return run_cells(folder / "times", cells, TimeRow)
