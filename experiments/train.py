"""Prune a network at initialization and train what is left.

Run it as python -m experiments.train; started again with the same options it goes on where it was.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.experimental import multihost_utils

import synflow_jax as sf
from experiments.create import create_network
from experiments.data import (
    Streamed,
    augmented,
    first_of_each,
    load,
    normalized,
    streamed,
)
from experiments.digits import class_batch
from experiments.fit import EpochRow, NonFiniteLossError, fit
from experiments.mesh import check_batch_size, placement_of
from experiments.methods import NEED_DATA, score_fns
from experiments.options import parse, refuse
from experiments.processes import ended_together, join
from experiments.runs import open_run
from experiments.train_options import Options, recipe_of
from experiments.training import Setup, TrainState, init_state, sgd, split_network

# Options that the results don't depend on, but for rounding: a run goes on with others.
FREE = "data_dir tensorboard checkpoint_every sharding coordinator processes process".split()


def main(args: Sequence[str] | None = None) -> None:
    """Runs what the command line asks for."""
    options = parse(Options, "python -m experiments.train", args)
    join(options.coordinator, options.processes, options.process)
    with ended_together():
        run(options)


def run(options: Options) -> None:
    """Prunes and trains; what is wrong with the options or the data ends the program."""
    recipe, placement = recipe_of(options), placement_of(options.sharding)
    try:
        check_batch_size(placement, recipe.batch_size)
        data = load_data(options)
        model_of(options, data)
    except (ModuleNotFoundError, FileNotFoundError, ValueError) as error:
        refuse(str(error))
    if recipe.batch_size > data.train.size:
        refuse(f"--batch-size is {recipe.batch_size}, more than {data.train.size} images")
    if isinstance(data.train, Streamed) and options.seeds * len(options.log10_compression) > 1:
        refuse(f"{data.name} is streamed; take one --log10-compression and one --seeds at a time")
    folder = open_run("train", options, free=FREE)
    setup, state = start(
        options,
        data,
        prepare_train=partial(augmented, data.preprocessing),
        prepare_test=partial(normalized, data.preprocessing),
    )
    try:
        _, rows = fit(
            setup._replace(placement=placement),
            state,
            data.train,
            data.test,
            epochs=recipe.epochs,
            folder=folder,
            checkpoint_every=options.checkpoint_every,
            many=options.seeds * len(options.log10_compression) > 1,
            tensorboard=options.tensorboard,
        )
    except NonFiniteLossError as error:
        refuse(str(error))
    except OSError as error:
        if jax.process_count() > 1:  # The other process may be what's missing, not the disk.
            raise
        refuse(str(error))
    if jax.process_index() == 0:
        print(table(options, rows))
        print(f"\n{folder} has metrics.csv, config.json and checkpoints")


def load_data(options: Options) -> Any:
    """The data set on the device, or streamed if it's large.

    Raises:
        ModuleNotFoundError: a library for data sets is missing; the message says what to install.
        FileNotFoundError: the data set isn't prepared, as ValueError is for damage.
    """
    try:
        if options.data != "imagenet2012":
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


def model_of(options: Options, data: Any, seed_key: jax.Array | None = None) -> nnx.Module:
    """The untrained network; ValueError if there is none of that name for such images."""
    rngs = nnx.Rngs(jax.random.key(0) if seed_key is None else seed_key)
    shape = data.train.shape
    return create_network(options.model, classes=data.classes, input_shape=shape, rngs=rngs)


def start(
    options: Options,
    data: Any,
    *,
    prepare_train: Callable[[jax.Array, jax.Array], jax.Array],
    prepare_test: Callable[[jax.Array], jax.Array],
) -> tuple[Setup, TrainState]:
    """The setup, and the state of the pruned network, or of several, seeds by compressions."""
    recipe = recipe_of(options)
    model = model_of(options, data)
    score_fn = score_of(options, model, data.train.shape)
    setup = Setup(
        split_network(model)[0],
        sgd(recipe, data.train.size // recipe.batch_size),
        prepare_train,
        prepare_test,
        recipe.batch_size,
        jnp.bfloat16 if options.bfloat16 else None,
    )
    states = [
        state
        for seed in range(options.seeds)
        for state in pruned_states(options, data, setup, score_fn, seed)
    ]
    if len(states) == 1:
        return setup, states[0]
    return setup, jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


def score_of(options: Options, model: nnx.Module, shape: tuple[int, ...]) -> Callable[..., Any]:
    """The score function that the options name."""
    apply_fn, _ = sf.from_nnx(model)
    return score_fns(apply_fn, shape)[options.method]


def pruned_states(
    options: Options, data: Any, setup: Setup, score_fn: Callable[..., Any], seed: int
) -> list[TrainState]:
    """One initialization at every compression."""
    key = jax.random.fold_in(jax.random.key(options.seed), seed)
    network_key, batch_key, pruning_key, training_key = jax.random.split(key, 4)
    _, network = split_network(model_of(options, data, network_key))
    batch = scoring_batch(options, data, setup, batch_key)
    compressions = [10.0**power for power in options.log10_compression]
    masks, _ = sf.sweep(
        score_fn,
        network.params,
        compressions,
        keys=jax.random.split(pruning_key, len(compressions)),
        batch=batch,
        rounds=options.rounds or (100 if options.method == "synflow" else 1),
    )
    each = [jax.tree.map(lambda x, i=i: x[i], masks) for i in range(len(compressions))]
    return [init_state(setup, network, mask, training_key) for mask in each]


def scoring_batch(options: Options, data: Any, setup: Setup, key: jax.Array) -> Any:
    """Images of each class, ready for the network, for the methods that score with data."""
    if options.method not in NEED_DATA:
        return None
    if isinstance(data.train, Streamed):
        own = first_of_each(data.train.batches(0), options.scoring_images, data.classes)
        # Each process reads other images, and all score with those of the first.
        batch = multihost_utils.broadcast_one_to_all(own)
    else:
        batch = class_batch(data.train, key, options.scoring_images)
    return setup.prepare_test(jnp.asarray(batch.images)), jnp.asarray(batch.labels)


def table(options: Options, rows: Sequence[EpochRow]) -> str:
    """The last epoch of each compression: mean test accuracy over seeds, as text."""
    powers = options.log10_compression
    last = np.asarray([r.test_top1 for r in rows[-len(powers) * options.seeds :]])
    means = last.reshape(options.seeds, len(powers)).mean(axis=0)
    lines = [f"{10**p:12,.1f}  {100 * m:8.2f}" for p, m in zip(powers, means, strict=True)]
    return "\n".join([" compression  accuracy", *lines])


if __name__ == "__main__":
    main()
