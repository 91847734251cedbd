"""Training masked networks: pure functions of arrays, an epoch in one compiled call.

setup = Setup(graph, sgd(recipe, steps), prepare_train, prepare_test, batch_size=128)
state = init_state(setup, network, mask, key)
state, steps = train_epoch(setup, state, examples)   # as often as wanted
metrics = evaluate(setup, state, test_examples)
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import synflow_jax as sf
from experiments.mesh import Placement, divide, gather, keep_placed, round_up


@dataclass(frozen=True)
class Recipe:
    """Stochastic gradient descent with Nesterov momentum and a learning rate that drops by epoch.

    Attributes:
        epochs: passes over the training examples.
        learning_rate: that of the first step.
        drops: epochs after which the learning rate is multiplied by ``drop_factor``.
        drop_factor: see there.
        weight_decay: times each parameter, added to its gradient (before the momentum).
        momentum: Nesterov's.
        batch_size: examples in a step.
    """

    epochs: int
    learning_rate: float
    drops: tuple[int, ...] = ()
    drop_factor: float = 0.1
    weight_decay: float = 0.0
    momentum: float = 0.9
    batch_size: int = 128


class Network(NamedTuple):
    """A network's changing arrays: params and all other state, such as running statistics."""

    params: Any
    state: Any


class Setup(NamedTuple):
    """What doesn't change in training: static under ``jit``. Make it once, or all compiles again.

    Attributes:
        graph: the network without its arrays, from `split_network`.
        optimizer: an optax transformation; pruned weights are kept at 0 around it.
        prepare_train: ``(images, key)`` to a batch of the network's inputs; augmentation is here.
        prepare_test: ``images`` to the network's inputs.
        batch_size: examples in a step.
        compute_dtype: what params and inputs are cast to for the network's computations; None
            leaves them. Params, optimizer state, logits and loss keep their type.
        placement: on which devices, None for one; the state must then come from
            `experiments.mesh.place_state`, and examples from ``replicate``.
    """

    graph: Any
    optimizer: optax.GradientTransformation
    prepare_train: Callable[[jax.Array, jax.Array], jax.Array]
    prepare_test: Callable[[jax.Array], jax.Array]
    batch_size: int
    compute_dtype: Any = None
    placement: Placement | None = None


class TrainState(NamedTuple):
    """All that changes in training, and all that a checkpoint needs.

    Attributes:
        params: the network's params, 0 where pruned.
        model_state: its other state.
        optimizer_state: that of `synflow_jax.keep_params_sparse`, which holds the mask.
        epoch: epochs done, int32.
        key: the random key of the run; every epoch folds its number into it.
    """

    params: Any
    model_state: Any
    optimizer_state: Any
    epoch: jax.Array
    key: jax.Array


class Metrics(NamedTuple):
    """Mean cross-entropy, and the fractions of labels that are the highest and among the 5 highest
    logits.
    """

    loss: jax.Array
    top1: jax.Array
    top5: jax.Array


def split_network(model: nnx.Module) -> tuple[Any, Network]:
    """The model's static graph in training mode, for `Setup`, and its arrays."""
    training = nnx.view(
        model, deterministic=False, use_running_average=False, raise_if_not_found=False
    )
    graph, params, state = nnx.split(training, nnx.Param, ...)
    return graph, Network(params, state)


def sgd(recipe: Recipe, steps_per_epoch: int) -> optax.GradientTransformation:
    """The recipe's optimizer; its learning rate is a function of the step."""
    drops = {epoch * steps_per_epoch: recipe.drop_factor for epoch in recipe.drops}
    rate = optax.piecewise_constant_schedule(recipe.learning_rate, drops)
    return nesterov(rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay)


def nesterov(
    learning_rate: optax.ScalarOrSchedule, *, momentum: float, weight_decay: float
) -> optax.GradientTransformation:
    """Nesterov momentum on the gradient plus ``weight_decay`` times the params."""
    return optax.chain(
        optax.add_decayed_weights(weight_decay),
        optax.sgd(learning_rate, momentum=momentum, nesterov=True),
    )


def init_state(setup: Setup, network: Network, mask: Any, key: jax.Array) -> TrainState:
    """The state before the first step. It shares no buffers with the arguments.

    For many networks at once, ``jax.vmap`` it over the last three (or give those that are the same
    for all as None in ``in_axes``); `train_epoch` and `evaluate` then take ``many=True``.
    """
    params = sf.apply_mask(mask, network.params)
    optimizer_state = sf.keep_params_sparse(setup.optimizer, mask).init(params)
    state = TrainState(params, network.state, optimizer_state, jnp.zeros((), jnp.int32), key)
    return jax.tree.map(jnp.copy, state)


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
    optimizer = sf.keep_params_sparse(setup.optimizer, state.optimizer_state.mask)
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

    gradient, (model_state, metrics) = jax.grad(loss_fn, has_aux=True)(state.params)
    updates, optimizer_state = optimizer.update(gradient, state.optimizer_state, state.params)
    params = optax.apply_updates(state.params, updates)
    state = TrainState(params, model_state, optimizer_state, state.epoch, state.key)
    return keep_placed(setup.placement, state), metrics


@partial(jax.jit, static_argnames=("setup", "batch_size", "many"))
def evaluate(
    setup: Setup, state: TrainState, examples: Any, *, batch_size: int = 256, many: bool = False
) -> Metrics:
    """Means over all examples, in inference mode, by batches; each example counts once.

    Metrics are scalars, or of shape ``(networks,)`` with ``many`` as in `train_epoch`.
    """
    count = len(examples.labels)
    batch_size = round_up(setup.placement, min(batch_size, count))
    rows = jnp.arange(-(-count // batch_size) * batch_size).reshape(-1, batch_size)

    def one(state: TrainState) -> Metrics:
        def batch_sums(rows: jax.Array) -> Metrics:
            # The last batch is filled up with the last example, which counts only once.
            chosen = tuple(x[jnp.minimum(rows, count - 1)] for x in examples)
            images, labels = divide(setup.placement, chosen)
            metrics = example_metrics(infer(setup, state, setup.prepare_test(images)), labels)
            return jax.tree.map(lambda x: jnp.where(rows < count, x, 0).sum(), metrics)

        sums = jax.lax.map(batch_sums, rows)
        return gather(setup.placement, jax.tree.map(lambda x: x.sum() / count, sums))

    return jax.vmap(one)(state) if many else one(state)


def example_metrics(logits: jax.Array, labels: jax.Array) -> Metrics:
    """Metrics of each example. Equal logits rank in the order of their classes."""
    ranked = jax.lax.top_k(logits, min(5, logits.shape[-1]))[1] == labels[:, None]
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    top1, top5 = ranked[:, 0], ranked.any(axis=-1)
    return Metrics(losses, top1.astype(losses.dtype), top5.astype(losses.dtype))


def _forward(setup: Setup, params: Any, state: Any, inputs: jax.Array) -> tuple[jax.Array, Any]:
    """Logits in training mode and the new state."""
    params, cast_inputs = _cast(setup, (params, inputs))
    model = nnx.merge(setup.graph, params, state, copy=True)
    logits = model(cast_inputs).astype(inputs.dtype)
    return logits, nnx.split(model, nnx.Param, ...)[2]


def infer(setup: Setup, state: TrainState, inputs: jax.Array) -> jax.Array:
    """Logits in inference mode."""
    params, cast_inputs = _cast(setup, (state.params, inputs))
    model = nnx.view(
        nnx.merge(setup.graph, params, state.model_state),
        deterministic=True,
        use_running_average=True,
        raise_if_not_found=False,
    )
    return model(cast_inputs).astype(inputs.dtype)


def _cast(setup: Setup, tree: Any) -> Any:
    if setup.compute_dtype is None:
        return tree
    return jax.tree.map(lambda x: x.astype(setup.compute_dtype), tree)
