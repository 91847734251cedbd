"""Training and testing on batches that come from the host, each a compiled step.

The same steps as `experiments.training` takes on examples that are on the device.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from experiments.data import Batch
from experiments.training import Metrics, Setup, TrainState, example_metrics, infer, train_step


def train_streamed(
    setup: Setup, state: TrainState, batches: Iterable[Batch]
) -> tuple[TrainState, Metrics]:
    """One pass over the batches; the state is donated. Metrics are of shape ``(steps,)``."""
    key = jax.random.fold_in(state.key, state.epoch)
    steps = []
    for number, batch in enumerate(tqdm(batches, unit="step", leave=False, dynamic_ncols=True)):
        state, metrics = _step(setup, state, batch, jax.random.fold_in(key, number))
        steps.append(metrics)
    columns = zip(*jax.device_get(steps), strict=True)
    stacked = Metrics(*(jnp.asarray(np.stack(column)) for column in columns))
    return state._replace(epoch=state.epoch + 1), stacked


def evaluate_streamed(setup: Setup, state: TrainState, batches: Iterable[Batch]) -> Metrics:
    """Means over all examples, in inference mode; batches may differ in size."""
    parts = [(_sums(setup, state, batch), len(batch.labels)) for batch in batches]
    sums, counts = zip(*jax.device_get(parts), strict=True)
    return Metrics(*(jnp.asarray(sum(x) / sum(counts)) for x in zip(*sums, strict=True)))


@partial(jax.jit, static_argnames="setup", donate_argnames="state")
def _step(
    setup: Setup, state: TrainState, batch: Batch, key: jax.Array
) -> tuple[TrainState, Metrics]:
    images, labels = map(jnp.asarray, batch)
    return train_step(setup, state, setup.prepare_train(images, key), labels)


@partial(jax.jit, static_argnames="setup")
def _sums(setup: Setup, state: TrainState, batch: Batch) -> Any:
    images, labels = map(jnp.asarray, batch)
    logits = infer(setup, state, setup.prepare_test(images))
    return jax.tree.map(jnp.sum, example_metrics(logits, labels))
