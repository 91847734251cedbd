"""Iterative magnitude pruning with rewinding: more cycles move the collapse to higher compression.

Figure 5a of Tanaka et al. 2020; run it as python -m experiments.multishot.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax

import synflow_jax as sf
from experiments.cells import once, run_cells
from experiments.figures import Style, accuracy_figure, save_figure
from experiments.multishot_options import Options, powers_of, recipe_of
from experiments.options import parse
from experiments.paper import agreement, draw_paper, read_multishot, read_paper
from experiments.results import Row, result_row, table
from experiments.runs import open_run
from experiments.task import Task, Trained, accuracy, load_task, train_network
from experiments.training import Network

# From dark to light with the number of cycles, which the color-blind see too.
COLORS = ("#440154", "#3B528B", "#21918C", "#5EC962", "#D9C02B")
STYLES = {
    f"{cycles}": Style(f"{cycles} cycle" + "s" * (cycles > 1), COLORS[(cycles - 1) % 5], marker)
    for cycles, marker in zip(range(1, 11), "os^Dv<>pPX", strict=True)
}


class Member(NamedTuple):
    """What belongs to one seed: a network, a key, and the training of all of its weights."""

    seed: int
    network: Network
    key: jax.Array
    dense: Callable[[], Trained]


def main(args: Sequence[str] | None = None) -> None:
    """Runs the experiment that the command line asks for."""
    started = time.perf_counter()
    options = parse(Options, "python -m experiments.multishot", args)
    paper = read_paper(read_multishot, options.paper_data)
    network, data = ("lottery/vgg11-bn", "cifar10") if options.full else ("small-vgg", "digits")
    task = load_task(network, data, recipe_of(options), options.data_dir)
    folder = open_run("multishot", options, free=("data_dir", "paper_data", "workers"))
    rows = experiment(options, task, folder)
    figure = accuracy_figure(rows, chance=1 / task.data.classes, styles=STYLES)
    draw_paper(figure, paper, STYLES)
    save_figure(figure, folder / "multishot")
    print("\nTest accuracy in % by prune-train cycles: mean (lowest-highest).")
    print("xN: in N runs a layer has collapsed.\n")
    print(table(rows))
    print(agreement(rows, paper))
    print(f"\n{folder} has rows.csv, config.json, multishot.png and .svg", end=" ")
    print(f"({time.perf_counter() - started:.0f} s)")


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
    state, loss = train(ticket.params, ticket.mask, jax.random.fold_in(member.key, cycles))
    layers = sf.layer_table(ticket.mask, params)
    row = result_row(
        f"{cycles}", member.seed, power, layers, loss=loss, accuracy=accuracy(task, state)
    )
    shutil.rmtree(place, ignore_errors=True)
    return [row]


if __name__ == "__main__":
    main()
