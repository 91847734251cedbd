"""Every method, seed and compression of an experiment: pruned, trained and tested."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from tqdm import tqdm

import synflow_jax as sf
from experiments.config import Config
from experiments.digits import CLASSES, Data, class_batch
from experiments.network import SmallVGG
from experiments.results import Row
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
    """A mask and where it came from."""

    method: str
    member: Member
    log10_compression: float
    mask: Any
    layers: Any


def experiment(config: Config, training: Data, test: Data) -> list[Row]:
    """Every method, seed and compression: pruned, trained and tested."""
    graph, score_fns = network_and_scores(config, training.images.shape[1:])
    members = [make_member(config, training, index) for index in range(config.seeds)]
    sweeps = [(method, member) for member in members for method in config.methods]
    pool = ThreadPoolExecutor(config.workers)
    networks = len(sweeps) * len(config.log10_compressions)
    with tqdm(total=2 * networks, unit="network", dynamic_ncols=True) as bar:
        try:
            bar.set_description("pruning")
            pruned: list[Pruned] = []
            for masks in pool.map(lambda job: prune_sweep(config, score_fns[job[0]], *job), sweeps):
                pruned += masks
                bar.update(len(masks))
            bar.set_description("training")
            rows = []
            for row in train_all(pool, train_one(config, graph, training, test), pruned):
                rows.append(row)
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)
    order = {method: index for index, method in enumerate(config.methods)}
    return sorted(rows, key=lambda row: (order[row.method], row.log10_compression, row.seed))


def network_and_scores(
    config: Config, image_shape: tuple[int, ...]
) -> tuple[Any, dict[str, Callable[..., Any]]]:
    """The network's graph and each method's score function, the same for all seeds."""
    model = SmallVGG(CLASSES, rngs=nnx.Rngs(0))
    apply_fn, _ = sf.from_nnx(model)
    graph, _ = split_network(model)
    temperature = config.grasp_temperature
    return graph, {
        "synflow": sf.synflow(apply_fn, jnp.ones((1, *image_shape))),
        "snip": sf.snip(sf.cross_entropy(apply_fn)),
        "grasp": sf.grasp(sf.cross_entropy(apply_fn, temperature=temperature)),
        "magnitude": sf.magnitude(),
        "random": sf.random(),
    }


def make_member(config: Config, training: Data, index: int) -> Member:
    """The seed number ``index`` of the experiment."""
    key = jax.random.fold_in(jax.random.key(config.seed), index)
    network_key, batch_key, pruning_key, training_key = jax.random.split(key, 4)
    _, network = split_network(SmallVGG(CLASSES, rngs=nnx.Rngs(network_key)))
    batch = class_batch(training, batch_key, config.scoring_images)
    return Member(index, network, batch, pruning_key, training_key)


def prune_sweep(
    config: Config, score_fn: Callable[..., Any], method: str, member: Member
) -> list[Pruned]:
    """One network pruned by one method to all compressions, in one compiled call."""
    powers = config.log10_compressions
    masks, _ = sf.sweep(
        score_fn,
        member.network.params,
        [10.0**power for power in powers],
        keys=jax.random.split(member.pruning_key, len(powers)),
        batch=member.batch,
        rounds=config.synflow_rounds if method == "synflow" else 1,
    )
    on_host = jax.device_get(masks)
    pruned = []
    for index, power in enumerate(powers):
        mask = jax.tree.map(lambda leaf, index=index: leaf[index], on_host)
        layers = sf.layer_table(mask, member.network.params)
        pruned.append(Pruned(method, member, power, mask, layers))
    return pruned


def train_one(
    config: Config, graph: Any, training: Data, test: Data
) -> Callable[[Pruned], tuple[float, float]]:
    """The function that trains a pruned network and gives the last epoch's loss and the accuracy.

    Each network is one jitted call, and two threads make such calls. On 2 CPU cores an epoch of
    6 networks took 0.05 s each so (best of 4); from one thread it took 0.09 s, by ``lax.map`` over
    networks 0.10 s, by ``vmap`` 0.09 s and longer to compile.
    """
    steps = config.epochs * (len(training.labels) // config.batch_size)
    rate = optax.cosine_decay_schedule(config.learning_rate, steps)
    setup = Setup(
        graph,
        nesterov(rate, momentum=config.momentum, weight_decay=config.weight_decay),
        prepare_train=lambda images, _: images,
        prepare_test=lambda images: images,
        batch_size=config.batch_size,
    )

    def run(pruned: Pruned) -> tuple[float, float]:
        network, key = pruned.member.network, pruned.member.training_key
        state, losses = _train(setup, network, pruned.mask, training, key, epochs=config.epochs)
        last_epoch = losses[-(len(losses) // config.epochs) :]
        metrics = evaluate(setup, state, test, batch_size=len(test.labels))
        return float(last_epoch.mean()), float(metrics.top1)

    return run


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


def train_all(
    pool: ThreadPoolExecutor,
    run: Callable[[Pruned], tuple[float, float]],
    pruned: Sequence[Pruned],
) -> Iterator[Row]:
    """A row for each pruned network, in order. A seed's unpruned network is trained only once."""
    futures: list[Future[tuple[float, float]]] = []
    unpruned: dict[int, Future[tuple[float, float]]] = {}
    for network in pruned:
        whole = network.layers.kept == network.layers.size
        if whole and network.member.seed in unpruned:
            futures.append(unpruned[network.member.seed])
            continue
        futures.append(pool.submit(run, network))
        # Let the first compile before the others start, or each thread compiles the same.
        futures[0].result()
        if whole:
            unpruned[network.member.seed] = futures[-1]
    for network, future in zip(pruned, futures, strict=True):
        loss, test_accuracy = future.result()
        yield Row(
            method=network.method,
            seed=network.member.seed,
            log10_compression=network.log10_compression,
            weights=network.layers.size,
            kept=network.layers.kept,
            collapsed=len(network.layers.collapsed),
            loss=loss,
            accuracy=test_accuracy,
        )
