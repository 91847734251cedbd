"""A masked network against the smaller one that `sf.compact_nnx` makes of it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
from flax import nnx

import synflow_jax as sf
from benchmarks.harness.figures import Figure, figure, figures, ratio
from benchmarks.harness.table import Reach, Row
from benchmarks.harness.timing import alternate, carried, timed
from benchmarks.measurements.training import repeated
from benchmarks.networks.zoo import Network, images, make
from experiments.training import (
    PRESETS,
    Setup,
    TrainState,
    init_state,
    sgd,
    split_network,
    train_step,
)

SIDES = ("masked", "compact")


def against_masked(
    case: str,
    runs: int,
    *,
    network: Network,
    compressions: Sequence[float],
    batch: int,
    steps: int,
    rounds: int = 100,
    reach: Reach | None = None,
) -> list[Row]:
    """Milliseconds of a forward pass and of a training step of both, at each compression."""
    rows = []
    made = make(network)
    score_fn = sf.synflow(made.apply_fn, made.inputs)
    for compression in compressions:
        mask, _ = sf.prune(score_fn, made.params, compression, rounds=rounds)
        (small, small_mask), seconds = timed(partial(_small, made.model, mask, made.inputs))
        models = dict(zip(SIDES, ((made.model, mask), (small, small_mask)), strict=True))
        at = f"{network.name} at compression {compression:g}"
        title = f"{case}, {at}"
        passes = {name: _forward(*model, network, batch) for name, model in models.items()}
        times = alternate(passes, runs, title=title)
        rows.append(_row(case, f"Forward pass of {batch} images, {at}", times, 1, None))
        started = {name: _training(*model, batch) for name, model in models.items()}
        sides = {
            name: carried(repeated(partial(_step, setup, network, batch), steps, scan=False), state)
            for name, (setup, state) in started.items()
        }
        bytes_of = {f"{name} bytes": _bytes(state) for name, (_, state) in started.items()}
        times = alternate(sides, runs, title=title)
        row = _row(case, f"Training step of {batch} images, {at}", times, steps, reach)
        rows.append(row._replace(figures={**row.figures, **bytes_of}))
        rows.append(Row(case, f"Compaction, {at}", {"s": figure([seconds], "s")}, "s"))
    return rows


def _small(model: nnx.Module, mask: Any, inputs: Any) -> Any:
    small, small_mask = sf.compact_nnx(model, mask, inputs)
    return small, jax.block_until_ready(small_mask)


def _row(
    case: str, what: str, times: dict[str, list[float]], steps: int, reach: Reach | None
) -> Row:
    faster = "times as fast"
    found = figures(times, "ms", factor=1e3 / steps)
    return Row(
        case, what, found | {faster: ratio(times["masked"], times["compact"])}, faster, reach
    )


def _forward(model: nnx.Module, mask: Any, network: Network, batch: int) -> Callable[[], jax.Array]:
    apply_fn, params = sf.from_nnx(model)
    compiled, kept = jax.jit(apply_fn), sf.apply_mask(mask, params)
    return partial(compiled, kept, images(network, batch)[0])


def _training(model: nnx.Module, mask: Any, batch: int) -> tuple[Setup, TrainState]:
    graph, parts = split_network(model)
    setup = Setup(graph, sgd(PRESETS["cifar-vgg"], 390), lambda x, _: x, lambda x: x, batch)
    return setup, init_state(setup, parts, mask, jax.random.key(0))


def _step(setup: Setup, network: Network, batch: int, state: TrainState) -> Any:
    inputs, labels = images(network, batch)
    return train_step(setup, state, inputs=inputs, labels=labels)


def _bytes(state: TrainState) -> Figure:
    """Of params, statistics and the optimizer's state, masks included."""
    arrays = jax.tree.leaves((state.params, state.model_state, state.optimizer_state))
    return figure([sum(x.size * x.dtype.itemsize for x in arrays) / 1e6], "MB")
