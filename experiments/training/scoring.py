"""From a seed to pruned networks: initialization, what to score with, and masks."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import multihost_utils

import synflow_jax as sf
from experiments.data import Streamed, class_batch, first_of_each
from experiments.training.state import Network
from experiments.training.task import Task


class Member(NamedTuple):
    """What belongs to one seed: an untrained network, what to score with, and keys."""

    seed: int
    network: Network
    batch: Any
    pruning_key: jax.Array
    training_key: jax.Array


def make_member(
    task: Task, seed: int, index: int, *, per_class: int = 10, needs_data: bool = True
) -> Member:
    """The run number ``index`` of those that start from ``seed``.

    ``per_class`` images of each class are scored with, or none, with no ``needs_data``.
    """
    key = jax.random.fold_in(jax.random.key(seed), index)
    network_key, batch_key, pruning_key, training_key = jax.random.split(key, 4)
    batch = scoring_batch(task, batch_key, per_class) if needs_data else None
    return Member(index, task.make(network_key), batch, pruning_key, training_key)


def scoring_batch(task: Task, key: jax.Array, per_class: int = 10) -> tuple[jax.Array, jax.Array]:
    """Images, ready for the network, and labels that methods score with."""
    train = task.data.train
    if isinstance(train, Streamed):
        own = first_of_each(train.batches(0), per_class, task.data.classes)
        # Each process reads other images, and all score with those of the first.
        batch = multihost_utils.broadcast_one_to_all(own)
    else:
        batch = class_batch(train, key, per_class)
    return task.setup.prepare_test(jnp.asarray(batch.images)), jnp.asarray(batch.labels)


def pruned_masks(
    score_fn: Callable[..., Any],
    params: Any,
    log10_compressions: Sequence[float],
    *,
    rounds: int,
    regrow: bool = False,
    select: sf.Selection = sf.global_top_k,
    key: jax.Array | None = None,
    batch: Any = None,
) -> list[Any]:
    """One network's masks at all compressions, in one compiled call."""
    count = len(log10_compressions)
    masks, _ = sf.sweep(
        score_fn,
        params,
        [10.0**power for power in log10_compressions],
        keys=None if key is None else jax.random.split(key, count),
        batch=batch,
        rounds=rounds,
        regrow=regrow,
        select=select,
    )
    masks = jax.device_get(masks)
    return [jax.tree.map(lambda leaf, i=index: leaf[i], masks) for index in range(count)]


def shuffled(mask: Any, key: jax.Array) -> Any:
    """The mask with the weights of each layer permuted; each layer keeps as many.

    >>> import jax, jax.numpy as jnp
    >>> mask = {"bias": jnp.array(True), "kernel": jnp.arange(6).reshape(2, 3) < 2}
    >>> int(shuffled(mask, jax.random.key(0))["kernel"].sum())
    2
    """
    leaves, structure = jax.tree.flatten(mask)
    keys = jax.random.split(key, len(leaves))
    mixed = [
        jax.random.permutation(k, leaf.reshape(-1)).reshape(leaf.shape)
        for k, leaf in zip(keys, leaves, strict=True)
    ]
    return structure.unflatten(mixed)
