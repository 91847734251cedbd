"""Every network, method, compression and seed: pruned, trained and compared with the dense one."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import synflow_jax as sf
from experiments.data import load
from experiments.method_table import METHODS, ScoreFn, pruning_of, score_fns
from experiments.runs.cells import once, run_cells
from experiments.similarity.measures import linear_cka, svcca
from experiments.similarity.options import Options, subject_of
from experiments.similarity.representations import representations
from experiments.training import (
    Member,
    Task,
    accuracy,
    make_member,
    make_task,
    pruned_masks,
    train_network,
)

OTHER = "another seed"
"""In place of a method: the dense network from another initialization."""


class Row(NamedTuple):
    """A layer of a trained network beside that of the dense network.

    Attributes:
        network: its name.
        method: how it was pruned, or `OTHER`.
        seed: which initialization, random scores and order of the data.
        log10_compression: log10 of weights before / weights after, as asked for.
        layer: its path.
        cka: linear CKA of the two representations; NaN if one is the same everywhere.
        svcca: mean canonical correlation, or NaN.
        accuracy: fraction of the test images that the network classifies right.
        dense_accuracy: that of the dense one.
    """

    network: str
    method: str
    seed: int
    log10_compression: float
    layer: str
    cka: float
    svcca: float
    accuracy: float
    dense_accuracy: float


class Case(NamedTuple):
    """A network on its data.

    Attributes:
        network: its name.
        task: what to train on and how.
        layers: those compared.
        scores: each method's score function.
        members: one for each seed, and one more.
    """

    network: str
    task: Task
    layers: Sequence[str]
    scores: dict[str, ScoreFn]
    members: list[Member]


class Seen(NamedTuple):
    """What a trained network makes of the test images, layer by layer, and its accuracy."""

    layers: dict[str, np.ndarray]
    accuracy: float


def make_case(options: Options, network: str) -> Case:
    """The network on the digits."""
    subject = subject_of(options, network)
    task = make_task(network, load("digits"), subject.recipe)
    scores = score_fns(task.apply_fn, task.data.train.shape, through=subject.through)
    members = [make_member(task, options.seed, i) for i in range(options.seeds + 1)]
    return Case(network, task, subject.layers, scores, members)


def experiment(options: Options, cases: Sequence[Case], folder: Path) -> list[Row]:
    """Every network, method, compression and seed, and dense networks of two seeds."""
    cells: dict[str, Callable[[], list[Row]]] = {}
    for case in cases:
        dense = [once(partial(unpruned, case, member)) for member in case.members]
        for index, member in enumerate(case.members[:-1]):
            compare = partial(rows_of, case, dense[index])
            cells[f"{case.network}-other-{member.seed}"] = partial(
                compare, dense[index + 1], method=OTHER, seed=member.seed, power=0.0
            )
            for method in options.methods:
                every = once(partial(masks, options, case, method, member))
                for i, power in enumerate(sorted(options.log10_compressions)):
                    pruned = partial(seen_under, case, member, every, i)
                    name = f"{case.network}-{method}-{power:g}-{member.seed}"
                    cells[name] = partial(
                        compare, pruned, method=method, seed=member.seed, power=power
                    )
    return run_cells(folder, cells, Row, workers=options.workers)


def masks(options: Options, case: Case, method: str, member: Member) -> list[Any]:
    """The masks of a seed at all compressions."""
    return pruned_masks(
        case.scores[method],
        member.network.params,
        sorted(options.log10_compressions),
        key=member.pruning_key,
        batch=member.batch if METHODS[method].needs_data else None,
        **pruning_of(method, options.rounds),
    )


def unpruned(case: Case, member: Member) -> Seen:
    """The network as it is, trained."""
    return seen(case, member, sf.full_mask(member.network.params))


def seen_under(case: Case, member: Member, every: Callable[[], list[Any]], index: int) -> Seen:
    """The network trained under one of its masks."""
    return seen(case, member, every()[index])


def seen(case: Case, member: Member, mask: Any) -> Seen:
    """The network trained under a mask."""
    task = case.task
    state = train_network(task, member.network, mask, member.training_key, one_call=True).state
    found = accuracy(task, state, batch_size=task.data.test.size)
    return Seen(representations(task, state, case.layers), found)


def rows_of(
    case: Case,
    dense: Callable[[], Seen],
    other: Callable[[], Seen],
    *,
    method: str,
    seed: int,
    power: float,
) -> list[Row]:
    """A row for each layer."""
    ours, theirs = dense(), other()
    return [
        Row(
            network=case.network,
            method=method,
            seed=seed,
            log10_compression=power,
            layer=layer,
            cka=linear_cka(ours.layers[layer], theirs.layers[layer]),
            svcca=svcca(ours.layers[layer], theirs.layers[layer]),
            accuracy=theirs.accuracy,
            dense_accuracy=ours.accuracy,
        )
        for layer in case.layers
    ]
