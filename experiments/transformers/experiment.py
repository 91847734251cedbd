"""Every network, way, compression and seed: pruned, trained and tested."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import synflow_jax as sf
from experiments.data import load
from experiments.runs.cells import once, run_cells
from experiments.training import Member, loss_and_accuracy, make_member, make_task
from experiments.transformers.options import Options, recipe_of
from experiments.transformers.rows import DENSE, Row, left_of
from experiments.transformers.ways import WAYS, Case, make_case, masks


def cases_of(options: Options) -> list[Case]:
    """The networks with their seeds, on the digits."""
    data = load("digits")
    tasks = [(name, make_task(name, data, recipe_of(options))) for name in options.networks]
    return [
        make_case(name, task, [make_member(task, options.seed, i) for i in range(options.seeds)])
        for name, task in tasks
    ]


def experiment(options: Options, cases: Sequence[Case], folder: Path) -> list[Row]:
    """Every network as it is, and pruned in every way to every compression."""
    cells = {
        f"{case.network}-{DENSE}-{member.seed}": partial(unpruned, case, member)
        for case in cases
        for member in case.members
    }
    ways = [
        cells_of(options, case, way)
        for case in cases
        for way in options.ways
        if case.attention or not WAYS[way].attention
    ]
    # Ways in turns, so that threads begin with different programs to compile.
    for level in zip(*(each.items() for each in ways), strict=True):
        cells |= dict(level)
    rows = run_cells(folder, cells, Row, workers=options.workers)
    places = [case.network for case in cases], [DENSE, *options.ways]
    return sorted(rows, key=lambda row: [*map(list.index, places, row[:2])])


def cells_of(options: Options, case: Case, way: str) -> dict[str, Callable[[], list[Row]]]:
    """The cells of one way, whose masks of a seed are made together."""
    powers, lock = sorted(options.log10_compressions), Lock()

    def prune(member: Member) -> list[Any]:
        with lock:  # Two threads would compile the same.
            return masks(case, WAYS[way], powers, member, rounds=options.rounds)

    def cell(index: int, member: Member, every: Callable[[], list[Any]]) -> list[Row]:
        return [trained(case, way, powers[index], member, every()[index])]

    every = [once(partial(prune, member)) for member in case.members]
    return {
        f"{case.network}-{way}-{power:g}-{member.seed}": partial(cell, index, member, own)
        for index, power in enumerate(powers)
        for member, own in zip(case.members, every, strict=True)
    }


def unpruned(case: Case, member: Member) -> list[Row]:
    """The network as it is."""
    return [trained(case, DENSE, 0.0, member, sf.full_mask(member.network.params))]


def trained(case: Case, way: str, power: float, member: Member, mask: Any) -> Row:
    """The network trained under a mask, and tested."""
    loss, accuracy = loss_and_accuracy(case.task, member.network, mask, member.training_key, None)
    left = left_of(mask, member.network.params)
    return Row(case.network, way, member.seed, power, *left, loss=loss, accuracy=accuracy)
