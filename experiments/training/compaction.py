"""A pruned network made small before it's trained: the same function, in fewer units."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

import synflow_jax as sf
from experiments.training.state import Network, split_network
from experiments.training.task import Task


class Compacted(NamedTuple):
    """What is left, as the first arguments of `train_network`.

    Attributes:
        task: that of the whole network, for the small one; its ``make`` still makes whole ones.
        network: small params and other state, with the same numbers.
        mask: which of the small params take part.
    """

    task: Task
    network: Network
    mask: Any


def compacted(task: Task, network: Network, mask: Any) -> Compacted:
    """What a mask leaves of a network, to be trained in its place.

    But for rounding, the same key gives the same training; where there is dropout, other units
    drop out. A network without a path from its inputs to its outputs stays whole.
    """
    shape = jax.ShapeDtypeStruct((1, *task.data.train.shape), jnp.float32)
    masked = sf.apply_mask(mask, network.params)
    if sf.flow(task.apply_fn, masked, shape, biases=False).log2 == -jnp.inf:
        return Compacted(task, network, mask)
    model = nnx.merge(task.setup.graph, *network, copy=True)
    small, small_mask = sf.compact_nnx(model, mask, shape)
    graph, left = split_network(small)
    setup = task.setup._replace(graph=graph)
    small_task = task._replace(setup=setup, apply_fn=sf.from_nnx(small)[0])
    return Compacted(small_task, left, small_mask)
