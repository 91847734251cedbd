"""Training masked networks: pure functions of arrays, an epoch in one compiled call.

setup = Setup(graph, sgd(recipe, steps), prepare_train, prepare_test, batch_size=128)
state = init_state(setup, network, mask, key)
state, steps = train_epoch(setup, state, examples)   # as often as wanted
metrics = evaluate(setup, state, test_examples)
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from experiments.training.evaluation import cast, example_metrics
from experiments.training.placement import divide, gather, keep_placed
from experiments.training.state import Metrics, Network, Setup, TrainState, init_state


@partial(jax.jit, static_argnames=("setup", "many"), donate_argnames="state")
def train_epoch(
    setup: Setup, state: TrainState, examples: Any, *, many: bool = False
) -> tuple[TrainState, Metrics]:
    """One pass over the examples in a new order; what doesn't fill a batch is left out of it.

    Args:
        setup: static.
        state: donated; it can't be used afterward.
        examples: images and labels, on the device.
        many: every leaf of the state has a leading axis of networks, trained at once by ``vmap``.

    Returns:
        The state after the epoch, and metrics of shape ``(steps,)`` or ``(networks, steps)``.
    """

    def epoch(state: TrainState) -> tuple[TrainState, Metrics]:
        order_key, step_key = jax.random.split(jax.random.fold_in(state.key, state.epoch))
        batches = shuffled_batches(order_key, len(examples.labels), setup.batch_size)
        keys = jax.random.split(step_key, len(batches))
        state, metrics = train_steps(setup, state, examples, batches, keys)
        state = keep_placed(setup.placement, state._replace(epoch=state.epoch + 1))
        return state, gather(setup.placement, metrics)

    return jax.vmap(epoch)(state) if many else epoch(state)


def shuffled_batches(key: jax.Array, examples: int, batch_size: int) -> jax.Array:
    """Indices of shape ``(examples // batch_size, batch_size)``, each example at most once."""
    steps = examples // batch_size
    return jax.random.permutation(key, examples)[: steps * batch_size].reshape(steps, batch_size)


def train_steps(
    setup: Setup, state: TrainState, examples: Any, batches: jax.Array, keys: jax.Array
) -> tuple[TrainState, Metrics]:
    """A step for each row of ``batches``, indices of shape ``(steps, batch_size)``, and of keys."""

    def step(state: TrainState, batch: tuple[jax.Array, jax.Array]) -> tuple[TrainState, Metrics]:
        chosen, key = batch
        images, labels = divide(setup.placement, tuple(x[chosen] for x in examples))
        return train_step(setup, state, setup.prepare_train(images, key), labels)

    return jax.lax.scan(step, state, (batches, keys))


def train_step(
    setup: Setup, state: TrainState, inputs: jax.Array, labels: jax.Array
) -> tuple[TrainState, Metrics]:
    """One step on one batch, with the pruned weights kept at 0."""
    optimizer = setup.sparse_optimizer(state.optimizer_state.mask)
    return optimizer_step(setup, optimizer, state, inputs, labels)


def optimizer_step(
    setup: Setup,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    inputs: jax.Array,
    labels: jax.Array,
) -> tuple[TrainState, Metrics]:
    """`train_step` with any optimizer, whose state ``state.optimizer_state`` is."""

    def loss_fn(params: Any) -> tuple[jax.Array, tuple[Any, Metrics]]:
        logits, model_state = _forward(setup, params, state.model_state, inputs)
        metrics = jax.tree.map(jnp.mean, example_metrics(logits, labels))
        return metrics.loss, (model_state, metrics)

    gradient_fn = jax.grad(setup.around(loss_fn), has_aux=True)
    gradient, (model_state, metrics) = gradient_fn(state.params)
    updates, optimizer_state = optimizer.update(gradient, state.optimizer_state, state.params)
    params = optax.apply_updates(state.params, updates)
    state = TrainState(params, model_state, optimizer_state, state.epoch, state.key)
    return keep_placed(setup.placement, state), metrics


@partial(jax.jit, static_argnames=("setup", "epochs"))
def train_in_one_call(
    setup: Setup, network: Network, mask: Any, examples: Any, key: jax.Array, *, epochs: int
) -> tuple[TrainState, jax.Array]:
    """The state after all epochs from `init_state` on, and the loss of each step.

    The orders of the examples are others than those of `train_epoch`.
    """
    orders = partial(shuffled_batches, examples=len(examples.labels), batch_size=setup.batch_size)
    batches = jnp.concatenate(jax.vmap(orders)(jax.random.split(key, epochs)))
    keys = jax.random.split(key, len(batches))
    state = init_state(setup, network, mask, key)
    state, metrics = train_steps(setup, state, examples, batches, keys)
    return state, metrics.loss


def _forward(setup: Setup, params: Any, state: Any, inputs: jax.Array) -> tuple[jax.Array, Any]:
    """Logits in training mode and the new state."""
    params, cast_inputs = cast(setup, (params, inputs))
    model = nnx.merge(setup.graph, params, state, copy=True)
    logits = model(cast_inputs).astype(inputs.dtype)
    return logits, nnx.split(model, nnx.Param, ...)[2]
