"""Optimizers whose masks change, `sf.prune_gradually` and `sf.rewire`: whole training steps."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import synflow_jax as sf
from benchmarks.harness.figures import figures, ratio
from benchmarks.harness.pruning import COMPRESSION
from benchmarks.harness.table import Reach, Row
from benchmarks.harness.timing import alternate, carried
from benchmarks.measurements.training import repeated, states
from benchmarks.networks.zoo import Network, images
from experiments.training import Setup, TrainState, optimizer_step

FAR = 2**30


def against_bare_optimizer(
    case: str,
    runs: int,
    *,
    network: Network,
    batch: int,
    steps: int,
    reach: Reach | None = None,
) -> list[Row]:
    """Milliseconds a step that leaves the mask, over the bare step; and of one that changes it."""
    setup, bare, sparse = states(network, batch)
    mask = sparse.optimizer_state.mask
    still = optimizers(setup, mask, begin=FAR, end=FAR + 100, every=10)
    changing = optimizers(setup, mask, begin=0, end=1000, every=1)
    sides: dict[str, Any] = {"bare": setup.optimizer} | still
    sides |= {f"{name}, changing": each for name, each in changing.items()}
    inputs, labels = images(network, batch)

    def side(optimizer: Any) -> Any:
        state = jax.tree.map(jnp.copy, with_optimizer(bare, optimizer))
        step = partial(optimizer_step, setup, optimizer, inputs=inputs, labels=labels)
        return carried(repeated(step, steps, scan=False), state)

    calls = {name: side(optimizer) for name, optimizer in sides.items()}
    times = alternate(calls, runs, title=f"{case}, {network.name}")
    ms, over = figures(times, "ms", factor=1e3 / steps), "over the bare step"
    rows = []
    for name in still:
        shown = {key: each for key, each in ms.items() if key == "bare" or key.startswith(name)}
        what = f"Training step of {batch} images, sf.{name} between changes, {network.name}"
        result = shown | {over: ratio(times[name], times["bare"])}
        rows.append(Row(case, what, result, over, reach))
    return rows


def optimizers(setup: Setup, mask: Any, **steps: Any) -> dict[str, Any]:
    """Both, by their names."""
    gradual = sf.prune_gradually(setup.optimizer, sf.magnitude(), COMPRESSION, **steps)
    return {"prune_gradually": gradual, "rewire": sf.rewire(setup.optimizer, mask, **steps)}


def with_optimizer(state: TrainState, optimizer: Any) -> TrainState:
    """The state with that of another optimizer."""
    return state._replace(optimizer_state=optimizer.init(state.params))
