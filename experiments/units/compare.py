"""What is left of larger networks at given speed-ups, beside published numbers: sizes alone."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax

import synflow_jax as sf
from experiments.reporting.results import aligned
from experiments.runs.cells import run_cells
from experiments.units.options import Options
from experiments.units.published import PUBLISHED, RESNET, VGG, Published
from experiments.untrained.subject import Subject, untrained

SUBJECTS = (Subject(RESNET, (32, 32, 3), 10), Subject(VGG, (32, 32, 3), 100))
SPEED_UPS = (2.11, 8.84)
WAYS = {False: "SynFlow units", True: "SynFlow units, uniform"}
"""By whether all classes of units lose the same share."""


class SizeRow(NamedTuple):
    """What pruning leaves of an untrained network; accuracies aren't compared.

    Attributes:
        network: its name.
        way: how it was pruned.
        asked: the speed-up that was asked for, multiplications before / after.
        weights: numbers in all params.
        left: those left.
        multiplications: multiply-adds of dense and convolutional layers for one image.
        multiplications_left: those left.
        fewest: units that are left of the class that keeps the fewest.
        most: those of the class that keeps the most.
    """

    network: str
    way: str
    asked: float
    weights: int
    left: int
    multiplications: int
    multiplications_left: int
    fewest: int
    most: int


def compare(options: Options, folder: Path) -> str:
    """The table; its rows go to the folder."""
    cells = {
        f"{subject.model.replace('/', '-')}-{'alike' if per_class else 'all'}": partial(
            size_rows, options, subject, per_class=per_class
        )
        for subject in SUBJECTS
        for per_class in WAYS
    }
    return size_table(run_cells(folder, cells, SizeRow))


def size_rows(options: Options, subject: Subject, *, per_class: bool) -> list[SizeRow]:
    """The network pruned by SynFlow to each speed-up."""
    network = untrained(subject)
    params = network.params_of(jax.random.key(options.seed))
    units = sf.units(network.apply_fn, params, network.inputs)
    score_fn = sf.synflow(network.apply_fn, network.inputs)
    rows = []
    for speed_up in SPEED_UPS:
        _, history = sf.prune_units(
            score_fn,
            params,
            units,
            multiplications=1 / speed_up,
            rounds=options.rounds,
            per_class=per_class,
        )
        row = SizeRow(
            network=subject.model,
            way=WAYS[per_class],
            asked=speed_up,
            weights=units.weights,
            left=int(history.weights[-1]),
            multiplications=units.multiplications,
            multiplications_left=int(history.multiplications[-1]),
            fewest=int(history.units_by_class[-1].min()),
            most=int(history.units_by_class[-1].max()),
        )
        rows.append(row)
    return rows


def size_table(rows: list[SizeRow]) -> str:
    """A line for each pruned network, by network and speed-up, ours before those published."""
    lines: list[tuple[str, ...]] = [
        ("network", "pruned by", "speed-up", "products", "left", "weights", "left", "units")
    ]
    for network in dict.fromkeys(row.network for row in rows):
        own = [row for row in rows if row.network == network]
        lines += [_line(row) for row in sorted(own, key=lambda row: row.asked)]
        lines += [_published_line(each) for each in PUBLISHED if each.network == network]
    note = (
        "Speed-up: multiplications (products) before / after. Units: of layers with the fewest\n"
        "and the most. (published): by Torch-Pruning, of trained networks, by its own count."
    )
    return f"{aligned(lines)}\n{note}"


def _line(row: SizeRow) -> tuple[str, ...]:
    return (
        row.network,
        row.way,
        f"{row.multiplications / row.multiplications_left:.2f}",
        f"{row.multiplications_left:,}",
        f"{row.multiplications_left / row.multiplications:.2%}",
        f"{row.left:,}",
        f"{row.left / row.weights:.2%}",
        f"{row.fewest}-{row.most}",
    )


def _published_line(row: Published) -> tuple[str, ...]:
    shares = ["" if x is None else f"{x:.2%}" for x in (row.multiplications, row.weights)]
    name = f"{row.name} (published)"
    return row.network, name, f"{row.speed_up:.2f}", "", shares[0], "", shares[1], ""
