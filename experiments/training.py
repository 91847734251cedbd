"""Training a masked network: pure functions of arrays that compile once for all masks and seeds."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import synflow_jax as sf
from experiments.digits import Data


@dataclass(frozen=True)
class Recipe:
    """Nesterov momentum with weight decay in the gradient and a learning rate falling to 0."""

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    weight_decay: float


class Network(NamedTuple):
    """A network's changing arrays: params and all other state, such as running statistics."""

    params: Any
    state: Any


def split_network(model: nnx.Module) -> tuple[Any, Network]:
    """The model's static graph in training mode, for `train` and `accuracy`, and its arrays."""
    training = nnx.view(
        model, deterministic=False, use_running_average=False, raise_if_not_found=False
    )
    graph, params, state = nnx.split(training, nnx.Param, ...)
    return graph, Network(params, state)


@partial(jax.jit, static_argnames=("graph", "recipe"))
def train(
    graph: Any, network: Network, mask: Any, data: Data, key: jax.Array, *, recipe: Recipe
) -> tuple[Network, jax.Array]:
    """The network trained with the pruned weights at 0, and the loss of each step.

    Every epoch is a new shuffle of the data; what doesn't fill a batch is left out of it.
    """
    batches = _shuffled_batches(key, len(data.labels), recipe)
    optimizer = sf.keep_params_sparse(_optimizer(recipe, len(batches)), mask)
    params = sf.apply_mask(mask, network.params)

    def step(carry: tuple[Network, Any], batch: jax.Array) -> tuple[tuple[Network, Any], jax.Array]:
        (params, state), optimizer_state = carry
        examples = jax.tree.map(lambda x: x[batch], data)
        value_and_grad = jax.value_and_grad(_loss, argnums=1, has_aux=True)
        (loss, state), gradient = value_and_grad(graph, params, state, examples)
        updates, optimizer_state = optimizer.update(gradient, optimizer_state, params)
        return (Network(optax.apply_updates(params, updates), state), optimizer_state), loss

    start = (Network(params, network.state), optimizer.init(params))
    (network, _), losses = jax.lax.scan(step, start, batches)
    return network, losses


@partial(jax.jit, static_argnames="graph")
def accuracy(graph: Any, network: Network, data: Data) -> jax.Array:
    """The fraction of the images that the network, with running statistics, gets right."""
    model = nnx.view(
        nnx.merge(graph, *network),
        deterministic=True,
        use_running_average=True,
        raise_if_not_found=False,
    )
    return jnp.mean(jnp.argmax(model(data.images), axis=-1) == data.labels)


def _shuffled_batches(key: jax.Array, examples: int, recipe: Recipe) -> jax.Array:
    """Indices of shape ``(steps, batch_size)``."""
    batches = examples // recipe.batch_size

    def epoch(key: jax.Array) -> jax.Array:
        order = jax.random.permutation(key, examples)[: batches * recipe.batch_size]
        return order.reshape(batches, recipe.batch_size)

    orders = jax.vmap(epoch)(jax.random.split(key, recipe.epochs))
    return orders.reshape(-1, recipe.batch_size)


def _optimizer(recipe: Recipe, steps: int) -> optax.GradientTransformation:
    rate = optax.cosine_decay_schedule(recipe.learning_rate, steps)
    return optax.chain(
        optax.add_decayed_weights(recipe.weight_decay),
        optax.sgd(rate, momentum=recipe.momentum, nesterov=True),
    )


def _loss(graph: Any, params: Any, state: Any, examples: Data) -> tuple[jax.Array, Any]:
    model = nnx.merge(graph, params, state, copy=True)
    losses = optax.softmax_cross_entropy_with_integer_labels(
        model(examples.images), examples.labels
    )
    return jnp.mean(losses), nnx.split(model, nnx.Param, ...)[2]
