"""Every method, seed and compression of an experiment: pruned, trained and tested."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import synflow_jax as sf
from experiments.cells import once, run_cells
from experiments.config import Config, epochs_of, powers_of
from experiments.digits import CLASSES, Data, class_batch
from experiments.methods import Method, score_fns
from experiments.network import SmallVGG
from experiments.results import Row, result_row
from experiments.training import (
    Network,
    Setup,
    TrainState,
    evaluate,
    init_state,
    nesterov,
    shuffled_batches,
    split_network,
    train_steps,
)


class Member(NamedTuple):
    """What belongs to one seed: a network, what to score with, and keys."""

    seed: int
    network: Network
    batch: Data
    pruning_key: jax.Array
    training_key: jax.Array


class Pruned(NamedTuple):
    """A mask, and how many weights it leaves in each layer."""

    mask: Any
    layers: sf.LayerTable


Train = Callable[[Member, Any], tuple[float, float]]
"""``(member, mask)`` to the last epoch's loss and the test accuracy."""


def experiment(config: Config, training: Data, test: Data, folder: Path) -> list[Row]:
    """Every method, compression and seed: pruned, trained and tested."""
    graph, score_fns = network_and_scores(config, training.images.shape[1:])
    train = train_one(config, graph, training, test)
    powers = powers_of(config)
    members = [make_member(config, training, seed) for seed in range(config.seeds)]
    sweeps = {
        (method, m.seed): once(partial(prune_sweep, config, score_fns[method], method, m, powers))
        for method in config.methods
        for m in members
    }
    # A seed's unpruned network is trained only once.
    unpruned = [once(partial(train, m, sf.full_mask(m.network.params))) for m in members]

    def rows(method: str, index: int, member: Member) -> list[Row]:
        mask, layers = sweeps[method, member.seed]()[index]
        whole = layers.kept == layers.size
        loss, accuracy = unpruned[member.seed]() if whole else train(member, mask)
        row = result_row(method, member.seed, powers[index], layers, loss=loss, accuracy=accuracy)
        return [row]

    cells = {
        f"{method}-{power}-{member.seed}": partial(rows, method, index, member)
        for method in config.methods
        for index, power in enumerate(powers)
        for member in members
    }
    return run_cells(folder, cells, Row, workers=config.workers)


def network_and_scores(
    config: Config, image_shape: tuple[int, ...]
) -> tuple[Any, dict[Method, Callable[..., Any]]]:
    """The network's graph and each method's score function, the same for all seeds."""
    model = SmallVGG(CLASSES, rngs=nnx.Rngs(0))
    apply_fn, _ = sf.from_nnx(model)
    graph, _ = split_network(model)
    return graph, score_fns(apply_fn, image_shape, temperature=config.grasp_temperature)


def make_member(config: Config, training: Data, index: int) -> Member:
    """The seed number ``index`` of the experiment."""
    key = jax.random.fold_in(jax.random.key(config.seed), index)
    network_key, batch_key, pruning_key, training_key = jax.random.split(key, 4)
    _, network = split_network(SmallVGG(CLASSES, rngs=nnx.Rngs(network_key)))
    batch = class_batch(training, batch_key, config.scoring_images)
    return Member(index, network, batch, pruning_key, training_key)


def prune_sweep(
    config: Config,
    score_fn: Callable[..., Any],
    method: str,
    member: Member,
    log10_compressions: Sequence[float],
) -> list[Pruned]:
    """One network pruned by one method to all compressions, in one compiled call."""
    masks, _ = sf.sweep(
        score_fn,
        member.network.params,
        [10.0**power for power in log10_compressions],
        keys=jax.random.split(member.pruning_key, len(log10_compressions)),
        batch=member.batch,
        rounds=config.synflow_rounds if method == "synflow" else 1,
    )
    each = [
        jax.tree.map(lambda leaf, i=index: leaf[i], jax.device_get(masks))
        for index in range(len(log10_compressions))
    ]
    return [Pruned(mask, sf.layer_table(mask, member.network.params)) for mask in each]


def train_one(config: Config, graph: Any, training: Data, test: Data) -> Train:
    """The function that trains a pruned network and gives the last epoch's loss and the accuracy.

    Each network is one jitted call, and two threads make such calls. On 2 CPU cores an epoch of
    6 networks took 0.05 s each so (best of 4); from one thread it took 0.09 s, by ``lax.map`` over
    networks 0.10 s, by ``vmap`` 0.09 s and longer to compile.
    """
    epochs = epochs_of(config)
    steps = epochs * (len(training.labels) // config.batch_size)
    rate = optax.cosine_decay_schedule(config.learning_rate, steps)
    setup = Setup(
        graph,
        nesterov(rate, momentum=config.momentum, weight_decay=config.weight_decay),
        prepare_train=lambda images, _: images,
        prepare_test=lambda images: images,
        batch_size=config.batch_size,
    )

    def train(member: Member, mask: Any) -> tuple[float, float]:
        network, key = member.network, member.training_key
        state, losses = _train(setup, network, mask, training, key, epochs=epochs)
        last_epoch = losses[-(len(losses) // epochs) :]
        metrics = evaluate(setup, state, test, batch_size=len(test.labels))
        return float(last_epoch.mean()), float(metrics.top1)

    return train


@partial(jax.jit, static_argnames=("setup", "epochs"))
def _train(
    setup: Setup, network: Network, mask: Any, data: Data, key: jax.Array, *, epochs: int
) -> tuple[TrainState, jax.Array]:
    """The state after all epochs, and the loss of each step."""
    orders = partial(shuffled_batches, examples=len(data.labels), batch_size=setup.batch_size)
    batches = jnp.concatenate(jax.vmap(orders)(jax.random.split(key, epochs)))
    state = init_state(setup, network, mask, key)
    state, metrics = train_steps(setup, state, data, batches, jax.random.split(key, len(batches)))
    return state, metrics.loss
