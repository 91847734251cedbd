"""One network, or several at once: pruned, and trained with checkpoints."""

import itertools
import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.data import Streamed, load, streamed
from experiments.data.catalog import DATA_SETS
from experiments.method_table import METHODS, score_fns
from experiments.runs.folders import open_run
from experiments.runs.options import refuse
from experiments.train.options import Options, networks_of, recipe_of
from experiments.training import (
    EpochRow,
    Network,
    NonFiniteLossError,
    Task,
    TrainState,
    compacted,
    init_state,
    make_member,
    make_task,
    pruned_masks,
    train_state,
)
from experiments.training.placement import check_batch_size, placement_of

# Options that the results don't depend on, but for rounding: a run goes on with others.
FREE = "data_dir tensorboard checkpoint_every sharding coordinator processes process".split()


def run(options: Options) -> None:
    """Prunes and trains; what is wrong with the options or the data ends the program."""
    task = task_of(options)
    # Without it a run is the one that it was before there was the option.
    folder = open_run("train", options, free=[*FREE, *([] if options.compact else ["compact"])])
    times = [time.perf_counter()]
    task, state = pruned(options, task)
    times.append(time.perf_counter())
    try:
        state, _, rows = train_state(
            task,
            state,
            epochs=task.epochs,
            folder=folder,
            checkpoint_every=options.checkpoint_every,
            many=networks_of(options) > 1,
            tensorboard=options.tensorboard,
        )
    except NonFiniteLossError as error:
        refuse(str(error))
    except OSError as error:
        if jax.process_count() > 1:  # The other process may be what's missing, not the disk.
            raise
        refuse(str(error))
    times.append(time.perf_counter())
    if jax.process_index() == 0:
        print(table(options, rows))
        if options.compact:
            print(f"\n{compact_text(state, times)}")
        print(f"\n{folder} has metrics.csv, config.json and checkpoints")


def task_of(options: Options) -> Task:
    """What the options name, on the devices that they ask for."""
    recipe, placement = recipe_of(options), placement_of(options.sharding)
    try:
        check_batch_size(placement, recipe.batch_size)
        data = load_data(options)
        compute_dtype = jnp.bfloat16 if options.bfloat16 else None
        task = make_task(options.model, data, recipe, compute_dtype=compute_dtype)
    except (ModuleNotFoundError, FileNotFoundError, ValueError) as error:
        refuse(str(error))
    if isinstance(data.train, Streamed) and networks_of(options) > 1:
        refuse(f"{data.name} is streamed; take one --log10-compression and one --seeds at a time")
    return task._replace(setup=task.setup._replace(placement=placement))


def load_data(options: Options) -> Any:
    """The data set on the device, or streamed if it's large.

    Raises:
        ModuleNotFoundError: a library for data sets is missing; the message says what to install.
        FileNotFoundError: the data set isn't prepared, as ValueError is for damage.
    """
    try:
        if DATA_SETS[options.data].shape is not None:
            return load(options.data, options.data_dir)
        return streamed(
            options.data,
            options.data_dir,
            batch_size=recipe_of(options).batch_size // jax.process_count(),
            seed=options.seed,
            workers=options.workers,
        )
    except ModuleNotFoundError as error:
        extra = "pip install 'synflow_jax[experiments]'"
        raise ModuleNotFoundError(f"--data {options.data}: {error}; {extra}") from error


def pruned(options: Options, task: Task) -> tuple[Task, TrainState]:
    """The pruned network's state, or that of several, seeds by compressions; with ``--compact``
    that of the small network, and its task.
    """
    found = [each for seed in range(options.seeds) for each in seed_networks(options, task, seed)]
    if options.compact:
        ((network, mask, key),) = found
        task, network, mask = compacted(task, network, mask)
        return task, init_state(task.setup, network, mask, key)
    states = [init_state(task.setup, *each) for each in found]
    if len(states) == 1:
        return task, states[0]
    return task, jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


def seed_networks(options: Options, task: Task, seed: int) -> list[tuple[Network, Any, jax.Array]]:
    """One initialization at every compression: network, mask and key."""
    method = METHODS[options.method]
    member = make_member(
        task,
        options.seed,
        seed,
        per_class=options.scoring_images,
        needs_data=method.needs_data,
    )
    masks = pruned_masks(
        score_fns(task.apply_fn, task.data.train.shape)[options.method],
        member.network.params,
        options.log10_compression,
        rounds=options.rounds or method.rounds,
        regrow=method.regrow,
        select=method.select,
        key=member.pruning_key,
        batch=member.batch,
    )
    return [(member.network, mask, member.training_key) for mask in masks]


def table(options: Options, rows: Sequence[EpochRow]) -> str:
    """The last epoch of each compression: mean test accuracy over seeds, as text."""
    powers = options.log10_compression
    last = np.asarray([r.test_top1 for r in rows[-len(powers) * options.seeds :]])
    means = last.reshape(options.seeds, len(powers)).mean(axis=0)
    lines = [f"{10**p:12,.1f}  {100 * m:8.2f}" for p, m in zip(powers, means, strict=True)]
    return "\n".join([" compression  accuracy", *lines])


def compact_text(state: TrainState, times: Sequence[float]) -> str:
    """Weights of the small network, and how long this process took; one that went on with a run
    that was stopped counts only what it did itself.
    """
    left = sum(leaf.size for leaf in jax.tree.leaves(state.params) if leaf.ndim > 1)
    first, second = (after - before for before, after in itertools.pairwise(times))
    took = f"pruning and compaction took {first:.1f} s, training {second:.1f} s"
    return f"{left:,} weights were trained; {took}, together {first + second:.1f} s"
