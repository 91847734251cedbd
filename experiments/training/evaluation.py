"""Testing a network: logits in inference mode, and metrics over all examples."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from experiments.training.placement import divide, gather, round_up
from experiments.training.state import Metrics, Setup, TrainState


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


def infer(setup: Setup, state: TrainState, inputs: jax.Array) -> jax.Array:
    """Logits in inference mode."""
    params, cast_inputs = cast(setup, (state.params, inputs))
    model = nnx.view(
        nnx.merge(setup.graph, params, state.model_state),
        deterministic=True,
        use_running_average=True,
        raise_if_not_found=False,
    )
    return model(cast_inputs).astype(inputs.dtype)


def cast(setup: Setup, tree: Any) -> Any:
    """Params and inputs in the type that the network computes in."""
    if setup.compute_dtype is None:
        return tree
    return jax.tree.map(lambda x: x.astype(setup.compute_dtype), tree)
