"""Every number of cycles, compression and seed: trained, pruned and rewound."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax

import synflow_jax as sf
from experiments.multishot.options import Options, powers_of
from experiments.reporting.results import Row, result_row
from experiments.runs.cells import once, run_cells
from experiments.training import Network, Task, Trained, accuracy, train_network


class Member(NamedTuple):
    """What belongs to one seed: a network, a key, and the training of all of its weights."""

    seed: int
    network: Network
    key: jax.Array
    dense: Callable[[], Trained]


def experiment(options: Options, task: Task, folder: Path) -> list[Row]:
    """Every number of cycles, compression and seed; ``method`` in a row is the number."""
    members = [make_member(options, task, folder, seed) for seed in range(options.seeds)]
    cells = {
        f"{cycles}-{power}-{member.seed}": partial(
            cell_rows, options, task, member, cycles=cycles, power=power, folder=folder
        )
        for cycles in options.cycles
        for power in powers_of(options)
        for member in members
    }
    rows = run_cells(folder, cells, Row, workers=1 if options.full else options.workers)
    shutil.rmtree(folder / "trainings", ignore_errors=True)
    return rows


def make_member(options: Options, task: Task, folder: Path, seed: int) -> Member:
    """The seed number ``seed`` of the experiment."""
    key = jax.random.fold_in(jax.random.key(options.seed), seed)
    network_key, dense_key, key = jax.random.split(key, 3)
    network = task.make(network_key)
    place = folder / "trainings" / f"dense-{seed}" if options.full else None
    mask = sf.full_mask(network.params)
    dense = once(partial(train_network, task, network, mask, dense_key, folder=place))
    return Member(seed, network, key, dense)


def cell_rows(
    options: Options, task: Task, member: Member, *, cycles: int, power: float, folder: Path
) -> list[Row]:
    """One network trained, pruned and rewound ``cycles`` times, then trained and tested."""
    place = folder / "trainings" / f"{cycles}-{power}-{member.seed}"
    params = member.network.params

    def train(params: Any, mask: Any, key: jax.Array) -> Trained:
        # All runs of a seed share the training of the whole network.
        if sf.density(mask, params) == 1:
            return member.dense()
        network = member.network._replace(params=params)
        kept = sf.layer_table(mask, params).kept
        path = place / f"{kept}" if options.full else None
        return train_network(task, network, mask, key, folder=path)

    made = sf.tickets(
        lambda *given: train(*given).state.params,
        params,
        10.0**power,
        levels=cycles,
        key=member.key,
    )
    *_, ticket = made
    state, loss, _ = train(ticket.params, ticket.mask, jax.random.fold_in(member.key, cycles))
    layers = sf.layer_table(ticket.mask, params)
    row = result_row(
        f"{cycles}", member.seed, power, layers, loss=loss, accuracy=accuracy(task, state)
    )
    shutil.rmtree(place, ignore_errors=True)
    return [row]
