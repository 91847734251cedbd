"""Training and testing on batches that come from the host, each a compiled step.

The same steps as `experiments.training.steps` takes on examples that are on the device.
"""

from collections.abc import Iterable
from functools import partial
from itertools import chain, islice, repeat
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from experiments.data import Batch, Streamed
from experiments.training.evaluation import example_metrics, infer
from experiments.training.placement import gather, global_batch
from experiments.training.state import Metrics, Setup, TrainState
from experiments.training.steps import train_step


def train_streamed(
    setup: Setup, state: TrainState, batches: Iterable[Batch]
) -> tuple[TrainState, Metrics]:
    """One pass over the batches; the state is donated. Metrics are of shape ``(steps,)``."""
    key = jax.random.fold_in(state.key, state.epoch)
    steps = []
    for number, batch in enumerate(tqdm(batches, unit="step", leave=False, dynamic_ncols=True)):
        part = global_batch(setup.placement, batch)
        state, metrics = _step(setup, state, part, jax.random.fold_in(key, number))
        steps.append(metrics)
    columns = zip(*jax.device_get(steps), strict=True)
    stacked = Metrics(*(jnp.asarray(np.stack(column)) for column in columns))
    return state._replace(epoch=state.epoch + 1), stacked


def evaluate_streamed(setup: Setup, state: TrainState, test: Streamed, epoch: int) -> Metrics:
    """Means over all examples, in inference mode; each process reads its part of them."""
    processes = jax.process_count()
    size = setup.batch_size // processes
    steps = -(-test.size // (processes * size))
    # Processes step together: where one has no batch left, it takes an empty one.
    empty = Batch(np.zeros((0, *test.shape), np.uint8), np.zeros(0, np.int32))
    batches = islice(chain(test.batches(epoch), repeat(empty)), steps)
    parts = [_sums(setup, state, *global_batch(setup.placement, _fill(b, size))) for b in batches]
    sums, counts = zip(*jax.device_get(parts), strict=True)
    return Metrics(*(jnp.asarray(sum(x) / sum(counts)) for x in zip(*sums, strict=True)))


def _fill(batch: Batch, size: int) -> tuple[Batch, np.ndarray]:
    """The batch filled up to a size, and which of it counts."""
    missing = size - len(batch.labels)
    images, labels = (np.pad(x, [(0, missing)] + [(0, 0)] * (x.ndim - 1)) for x in batch)
    return Batch(images, labels), np.arange(size) < len(batch.labels)


@partial(jax.jit, static_argnames="setup", donate_argnames="state")
def _step(
    setup: Setup, state: TrainState, batch: Batch, key: jax.Array
) -> tuple[TrainState, Metrics]:
    images, labels = map(jnp.asarray, batch)
    state, metrics = train_step(setup, state, setup.prepare_train(images, key), labels)
    return state, gather(setup.placement, metrics)


@partial(jax.jit, static_argnames="setup")
def _sums(setup: Setup, state: TrainState, batch: Batch, counted: jax.Array) -> Any:
    images, labels = map(jnp.asarray, batch)
    metrics = example_metrics(infer(setup, state, setup.prepare_test(images)), labels)
    sums = jax.tree.map(lambda x: jnp.where(counted, x, 0).sum(), metrics)
    return gather(setup.placement, (sums, counted.sum()))
