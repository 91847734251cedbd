"""What training changes and what it doesn't: the setup of a training, and its state."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import synflow_jax as sf
from experiments.training.placement import Placement


class Network(NamedTuple):
    """A network's changing arrays: params and all other state, such as running statistics."""

    params: Any
    state: Any


LossAndMore = Callable[[Any], tuple[jax.Array, Any]]


def as_it_is(loss_fn: LossAndMore) -> LossAndMore:
    """The function itself."""
    return loss_fn


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
        changing: ``optimizer`` within one whose mask changes, such as ``sf.rewire``; None keeps the
            mask that a training starts with.
        around: ``loss_fn`` to the function that is differentiated in its place, both ``params`` to
            the loss and something else.
        placement: on which devices, None for one; the state must then come from
            `experiments.training.placement.place_state`, and examples from ``replicate``.
    """

    graph: Any
    optimizer: optax.GradientTransformation
    prepare_train: Callable[[jax.Array, jax.Array], jax.Array]
    prepare_test: Callable[[jax.Array], jax.Array]
    batch_size: int
    compute_dtype: Any = None
    placement: Placement | None = None
    changing: optax.GradientTransformation | None = None
    around: Callable[[LossAndMore], LossAndMore] = as_it_is

    def sparse_optimizer(self, mask: Any) -> optax.GradientTransformation:
        """The optimizer, which keeps pruned weights at 0."""
        return self.changing or sf.keep_params_sparse(self.optimizer, mask)


class TrainState(NamedTuple):
    """All that changes in training, and all that a checkpoint needs.

    Attributes:
        params: the network's params, 0 where pruned.
        model_state: its other state.
        optimizer_state: that of `synflow_jax.keep_params_sparse` or of what changes masks; it holds
            the mask.
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


def init_state(setup: Setup, network: Network, mask: Any, key: jax.Array) -> TrainState:
    """The state before the first step. It shares no buffers with the arguments.

    For many networks at once, ``jax.vmap`` it over the last three (or give those that are the same
    for all as None in ``in_axes``); `train_epoch` and `evaluate` then take ``many=True``.
    """
    params = sf.apply_mask(mask, network.params)
    # Masks that change are all alike to an optimizer that was made for one of them.
    optimizer_state: Any = setup.sparse_optimizer(mask).init(params)
    optimizer_state = optimizer_state._replace(mask=mask)
    state = TrainState(params, network.state, optimizer_state, jnp.zeros((), jnp.int32), key)
    return jax.tree.map(jnp.copy, state)
