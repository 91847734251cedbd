"""Every method, compression and seed: pruned, trained and tested."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import synflow_jax as sf
from experiments.data import load
from experiments.data.digits import digits
from experiments.method_table import ScoreFn, pruning_of, score_fns
from experiments.reporting.results import Row, result_row
from experiments.runs.cells import once, run_cells
from experiments.runs.options import refuse
from experiments.singleshot.options import (
    Options,
    data_of,
    is_small,
    model_of,
    powers_of,
    recipe_of,
)
from experiments.singleshot.rows import CompactRow, compact_row
from experiments.training import (
    Member,
    Task,
    compacted,
    load_task,
    loss_and_accuracy,
    make_member,
    make_task,
    pruned_masks,
)


def task_of(options: Options) -> Task:
    """The small VGG on the digits, or what the options name; what is missing ends the program."""
    if not is_small(options):
        model, data = model_of(options) or "", data_of(options)
        return load_task(model, data, recipe_of(options), options.data_dir)
    train, test = digits()
    data = load("digits")._replace(train=train, test=test)
    try:
        return make_task("small-vgg", data, recipe_of(options), ready=True)
    except ValueError as error:
        refuse(str(error))


def experiment(options: Options, task: Task, folder: Path) -> list[Row] | list[CompactRow]:
    """Every method, compression and seed."""
    powers, shape = powers_of(options), task.data.train.shape
    scores = score_fns(task.apply_fn, shape, temperature=options.grasp_temperature)
    members = [
        make_member(task, options.seed, seed, per_class=options.scoring_images)
        for seed in range(options.seeds)
    ]
    mask_of = masks(options, scores, members)
    trained = partial(train, options, task, folder)
    # A seed's unpruned network is trained only once.
    unpruned = [
        once(partial(trained, m, sf.full_mask(m.network.params), name=f"unpruned-{m.seed}"))
        for m in members
    ]

    def rows(name: str, method: str, index: int, member: Member) -> list[Any]:
        mask, pruning = mask_of(method, index, member)
        layers = sf.layer_table(mask, member.network.params)
        whole = layers.kept == layers.size
        found = unpruned[member.seed]() if whole else trained(member, mask, name=name)
        results = {"loss": found.loss, "accuracy": found.accuracy}
        row = result_row(method, member.seed, powers[index], layers, **results)
        if not options.compact:
            return [row]
        return [compact_row(row, found.left, pruning, found.compaction, found.training)]

    cells = {
        name: partial(rows, name, method, index, member)
        for method in options.methods
        for index, power in enumerate(powers)
        for member in members
        for name in [f"{method}-{power}-{member.seed}"]
    }
    row_type = CompactRow if options.compact else Row
    return run_cells(folder, cells, row_type, workers=options.workers if is_small(options) else 1)


def masks(
    options: Options, scores: Mapping[str, ScoreFn], members: Sequence[Member]
) -> Callable[[str, int, Member], tuple[Any, float]]:
    """``(method, index of the compression, member)`` to a mask, and how long that took.

    A small network is pruned to all compressions in one call, which share its time; a large one to
    each alone.
    """

    def prune(method: str, powers: Sequence[float], member: Member) -> tuple[list[Any], float]:
        started = time.perf_counter()
        found = pruned_masks(
            scores[method],
            member.network.params,
            powers,
            key=member.pruning_key,
            batch=member.batch,
            **pruning_of(method, options.synflow_rounds),
        )
        return found, (time.perf_counter() - started) / len(powers)

    powers = powers_of(options)
    sweeps = {
        (method, m.seed): once(partial(prune, method, powers, m))
        for method in options.methods
        for m in members
    }

    def mask_of(method: str, index: int, member: Member) -> tuple[Any, float]:
        if is_small(options):
            found, seconds = sweeps[method, member.seed]()
            return found[index], seconds
        (mask,), seconds = prune(method, [powers[index]], member)
        return mask, seconds

    return mask_of


class Outcome(NamedTuple):
    """A training.

    Attributes:
        loss: the last epoch's.
        accuracy: on the test images.
        left: weights of the network that was trained.
        compaction: seconds from the mask to that network.
        training: seconds after that.
    """

    loss: float
    accuracy: float
    left: int
    compaction: float
    training: float


def train(
    options: Options, task: Task, folder: Path, member: Member, mask: Any, *, name: str
) -> Outcome:
    """The network trained under a mask, or with ``--compact`` what is left of it."""
    network, started = member.network, time.perf_counter()
    if options.compact and not name.startswith("unpruned"):
        task, network, mask = compacted(task, network, mask)
    begun = time.perf_counter()
    place = None if is_small(options) else folder / "trainings" / name
    loss, found = loss_and_accuracy(task, network, mask, member.training_key, place)
    ended = time.perf_counter()
    left = sf.layer_table(mask, network.params).size
    return Outcome(loss, found, left, begun - started, ended - begun)
