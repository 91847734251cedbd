"""Every ablation, method, compression and seed: pruned, changed, trained and tested."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import synflow_jax as sf
from experiments.ablations.options import Options, powers_of, seeds_of
from experiments.method_table import METHODS, ScoreFn, competing, pruning_of, score_fns
from experiments.reporting.results import result_row
from experiments.runs.cells import once, run_cells
from experiments.training import (
    Network,
    Task,
    accuracy,
    pruned_masks,
    scoring_batch,
    shuffled,
    train_network,
)


class AblationRow(NamedTuple):
    """A `Row`, and what was done to the mask, the weights or the scores."""

    ablation: str
    method: str
    seed: int
    log10_compression: float
    weights: int
    kept: int
    collapsed: int
    loss: float
    accuracy: float


class Member(NamedTuple):
    """What belongs to one seed: a network, other weights for it, what to score with, and keys."""

    seed: int
    network: Network
    other: Network
    batch: Any
    pruning_key: jax.Array
    shuffling_key: jax.Array
    training_key: jax.Array


def experiment(options: Options, task: Task, folder: Path) -> list[AblationRow]:
    """Every ablation, method, compression and seed: pruned, changed, trained and tested."""
    scores = score_fns(task.apply_fn, task.data.train.shape)
    scores |= {
        f"-{name}": inverted(competing(score_fn, regrow=METHODS[name].regrow))
        for name, score_fn in scores.items()
    }
    members = [make_member(options, task, seed) for seed in range(seeds_of(options))]
    masks = {
        (method, m.seed): once(partial(prune_all, options, scores[method], method, m))
        for name in options.methods
        for method in (name, f"-{name}")
        for m in members
    }

    def rows(name: str, method: str, index: int, member: Member) -> list[AblationRow]:
        prefix = "-" if name == "invert" else ""
        mask = masks[f"{prefix}{method}", member.seed]()[index]
        if name == "shuffle":
            mask = shuffled(mask, jax.random.fold_in(member.shuffling_key, index))
        network = member.other if name == "reinitialize" else member.network
        place = folder / "trainings" / f"{name}-{method}-{index}-{member.seed}"
        path = place if options.full else None
        state, loss, _ = train_network(task, network, mask, member.training_key, folder=path)
        layers = sf.layer_table(mask, network.params)
        row = result_row(
            method,
            member.seed,
            powers_of(options)[index],
            layers,
            loss=loss,
            accuracy=accuracy(task, state),
        )
        shutil.rmtree(place, ignore_errors=True)
        return [AblationRow(name, *row)]

    cells = {
        f"{name}-{method}-{power}-{member.seed}": partial(rows, name, method, index, member)
        for name in options.ablations
        for method in options.methods
        for index, power in enumerate(powers_of(options))
        for member in members
    }
    workers = 1 if options.full else options.workers
    return run_cells(folder, cells, AblationRow, workers=workers)


def make_member(options: Options, task: Task, seed: int) -> Member:
    """The seed number ``seed`` of the experiment."""
    key = jax.random.fold_in(jax.random.key(options.seed), seed)
    network_key, other_key, batch_key, *keys = jax.random.split(key, 6)
    network, other = task.make(network_key), task.make(other_key)
    return Member(seed, network, other, scoring_batch(task, batch_key), *keys)


def prune_all(options: Options, score_fn: ScoreFn, method: str, member: Member) -> list[Any]:
    """One network's masks at all compressions, by one method."""
    return pruned_masks(
        score_fn,
        member.network.params,
        powers_of(options),
        key=member.pruning_key,
        batch=member.batch,
        **pruning_of(method.removeprefix("-"), options.synflow_rounds),
    )


def inverted(score_fn: ScoreFn) -> ScoreFn:
    """The scores with the other sign: the highest are pruned."""

    def negative(*given: Any) -> Any:
        return jax.tree.map(jnp.negative, score_fn(*given))

    return negative
