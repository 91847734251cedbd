"""Every network, way and seed: pruned, trained and tested."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from experiments.runs.cells import run_cells
from experiments.training import Member, Task, compacted, loss_and_accuracy, make_member
from experiments.units.options import Options, asked_of
from experiments.units.rows import DENSE, Row
from experiments.units.ways import WAYS, Case, Pruned, at_full_shape, make_case, pruned, whole


class Pruning(NamedTuple):
    """A way to prune, the fraction that should be left, and the function that does it."""

    way: str
    asked: float
    prune: Callable[[Member], Pruned]


def unpruned(case: Case) -> Pruning:
    """The network as it is."""
    return Pruning(DENSE, 1.0, partial(whole, case))


def prunings(options: Options, case: Case) -> dict[str, list[Pruning]]:
    """By way, from the largest fraction to the smallest."""

    def of_way(way: str) -> list[Pruning]:
        lock = Lock()

        def alone(asked: float, member: Member) -> Pruned:
            with lock:  # Two threads would compile the same.
                return pruned(case, WAYS[way], asked, member, rounds=options.rounds)

        every = asked_of(options, weights=WAYS[way].weights)
        return [Pruning(way, asked, partial(alone, asked)) for asked in every]

    return {way: of_way(way) for way in options.ways}


def cases_of(options: Options, tasks: Sequence[tuple[str, Task]]) -> list[Case]:
    """The networks with their units and seeds."""
    return [
        make_case(network, task, [make_member(task, options.seed, i) for i in range(options.seeds)])
        for network, task in tasks
    ]


def experiment(options: Options, cases: Sequence[Case], folder: Path) -> list[Row]:
    """Every network as it is, and pruned in every way.

    A small network is trained under its mask, since then one compiled program trains all; a large
    one is made small first. Both give the same but for rounding.
    """
    cells = {
        name: partial(trained, options, case, each, member, place=folder / "trainings" / name)
        for case in cases
        # Way by way at each fraction, so that threads begin with different programs to compile.
        for level in [[unpruned(case)], *zip_longest(*prunings(options, case).values())]
        for member in case.members
        for each in level
        if each is not None
        for name in [f"{short(case.network)}-{each.way}-{each.asked:.4g}-{member.seed}"]
    }
    return run_cells(folder, cells, Row, workers=1 if options.full else options.workers)


def short(network: str) -> str:
    """Its name in names of files."""
    return network.replace("/", "-")


def trained(
    options: Options, case: Case, pruning: Pruning, member: Member, *, place: Path
) -> list[Row]:
    """The network pruned, trained and tested."""
    found = pruning.prune(member)
    task, network, mask = case.task, member.network, found.mask
    if options.full:
        task, network, mask = compacted(task, network, mask)
    else:
        mask = at_full_shape(mask, network.params)
    checkpoints = place if options.full else None
    loss, accuracy = loss_and_accuracy(task, network, mask, member.training_key, checkpoints)
    row = Row(
        network=case.network,
        way=pruning.way,
        seed=member.seed,
        asked=pruning.asked,
        weights=case.units.weights,
        kept=found.kept,
        left=found.weights,
        multiplications=case.units.multiplications,
        multiplications_left=found.multiplications,
        loss=loss,
        accuracy=accuracy,
    )
    return [row]
