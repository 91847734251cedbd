"""Every method, compression and seed: pruned, trained and tested."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import synflow_jax as sf
from experiments.data import load
from experiments.data.digits import digits
from experiments.methods import ScoreFn, rounds_of, score_fns
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
from experiments.training import (
    Member,
    Task,
    accuracy,
    load_task,
    make_member,
    make_task,
    pruned_masks,
    train_network,
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


def experiment(options: Options, task: Task, folder: Path) -> list[Row]:
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

    def rows(name: str, method: str, index: int, member: Member) -> list[Row]:
        mask = mask_of(method, index, member)
        layers = sf.layer_table(mask, member.network.params)
        whole = layers.kept == layers.size
        loss, found = unpruned[member.seed]() if whole else trained(member, mask, name=name)
        return [result_row(method, member.seed, powers[index], layers, loss=loss, accuracy=found)]

    cells = {
        name: partial(rows, name, method, index, member)
        for method in options.methods
        for index, power in enumerate(powers)
        for member in members
        for name in [f"{method}-{power}-{member.seed}"]
    }
    return run_cells(folder, cells, Row, workers=options.workers if is_small(options) else 1)


def masks(
    options: Options, scores: Mapping[str, ScoreFn], members: Sequence[Member]
) -> Callable[[str, int, Member], Any]:
    """``(method, index of the compression, member)`` to a mask.

    A small network is pruned to all compressions in one call, a large one to each alone.
    """

    def prune(method: str, powers: Sequence[float], member: Member) -> list[Any]:
        return pruned_masks(
            scores[method],
            member.network.params,
            powers,
            rounds=rounds_of(method, options.synflow_rounds),
            key=member.pruning_key,
            batch=member.batch,
        )

    powers = powers_of(options)
    if not is_small(options):
        return lambda method, index, member: prune(method, [powers[index]], member)[0]
    sweeps = {
        (method, m.seed): once(partial(prune, method, powers, m))
        for method in options.methods
        for m in members
    }
    return lambda method, index, member: sweeps[method, member.seed]()[index]


def train(
    options: Options, task: Task, folder: Path, member: Member, mask: Any, *, name: str
) -> tuple[float, float]:
    """The last epoch's loss and the test accuracy.

    A large network's training has checkpoints in ``trainings/NAME`` until it's done: one that was
    killed goes on from its last epoch.
    """
    given = task, member.network, mask, member.training_key
    if is_small(options):
        state, loss, _ = train_network(*given, one_call=True)
        return loss, accuracy(task, state, batch_size=task.data.test.size)
    place = folder / "trainings" / name
    _, loss, epochs = train_network(*given, folder=place)
    shutil.rmtree(place)
    return loss, epochs[-1].test_top1
