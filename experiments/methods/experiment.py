"""Every method, compression and seed: pruned, shuffled, trained; and the time of pruning."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax

import synflow_jax as sf
from experiments.methods.options import Options
from experiments.methods.ways import Case, mask_of, rounds_and_data
from experiments.reporting.results import result_row
from experiments.runs.cells import once, run_cells
from experiments.training import loss_and_accuracy, shuffled

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
    """How many rounds a method takes, and the seconds of a mask, compiled already."""

    method: str
    rounds: int
    seconds: float


Masks = Mapping[tuple[str, float, int], Callable[[], Any]]
"""By method, power and seed, what gives the mask, made when first asked for."""


def masks_of(options: Options, case: Case) -> Masks:
    """Compression by compression: a method's program is compiled once for all of them."""
    return {
        (way, power, member.seed): once(partial(mask_of, case, way, member, power, options.rounds))
        for way in options.methods
        for power in options.log10_compressions
        for member in case.members
    }


def experiment(options: Options, case: Case, masks: Masks, folder: Path) -> list[MethodRow]:
    """Every method, compression and seed, under the mask and under the shuffled one."""
    # Methods change fastest, so that each thread compiles another one.
    cells = {
        f"{kind}-{way}-{power}-{member.seed}": partial(
            trained, case, kind, (way, power, member.seed), masks[way, power, member.seed]
        )
        for member in case.members
        for power in sorted(options.log10_compressions)
        for kind in KINDS
        for way in options.methods
    }
    return run_cells(folder, cells, MethodRow, workers=options.workers)


def trained(
    case: Case, kind: str, name: tuple[str, float, int], make: Callable[[], Any]
) -> list[MethodRow]:
    """One network trained under its mask, or under that mask shuffled within layers."""
    way, power, seed = name
    member = case.members[seed]
    network, mask = member.network, jax.device_get(make())
    if kind == "shuffled":
        mask = shuffled(mask, jax.random.fold_in(member.pruning_key, round(1000 * power)))
    key = member.training_key
    loss, accuracy = loss_and_accuracy(case.task, network, jax.device_get(mask), key, None)
    layers = sf.layer_table(mask, network.params)
    row = result_row(way, seed, power, layers, loss=loss, accuracy=accuracy)
    return [MethodRow(kind, *row)]


def times(options: Options, case: Case, masks: Masks, folder: Path) -> list[TimeRow]:
    """Of each method at the lowest compression, with nothing else going on."""
    power, member = min(options.log10_compressions), case.members[0]

    def rows(way: str) -> list[TimeRow]:
        masks[way, power, member.seed]()  # Compiles, where that hasn't been done.
        started = time.perf_counter()
        jax.block_until_ready(mask_of(case, way, member, power, options.rounds))
        seconds = time.perf_counter() - started
        return [TimeRow(way, rounds_and_data(way, options.rounds)[0], seconds)]

    return run_cells(
        folder / "times", {way: partial(rows, way) for way in options.methods}, TimeRow
    )
