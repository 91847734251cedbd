"""`sf.keep_params_sparse` against the bare optimizer: a whole training step."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import synflow_jax as sf
from benchmarks.harness.figures import figures, ratio
from benchmarks.harness.pruning import COMPRESSION
from benchmarks.harness.table import Reach, Row
from benchmarks.harness.timing import alternate, carried
from benchmarks.networks.zoo import Network, images, make
from experiments.training import (
    PRESETS,
    Setup,
    TrainState,
    init_state,
    optimizer_step,
    sgd,
    split_network,
    train_step,
)


def against_bare_optimizer(
    case: str,
    runs: int,
    *,
    network: Network,
    batch: int,
    steps: int,
    scan: bool = False,
    reach: Reach | None = None,
) -> list[Row]:
    """Milliseconds a step of both, and one over the other.

    With ``scan`` the ``steps`` of a timed call are one compiled loop.
    """
    setup, bare, sparse = states(network, batch)
    inputs, labels = images(network, batch)
    step = partial(optimizer_step, setup, setup.optimizer, inputs=inputs, labels=labels)
    sparse_step = partial(train_step, setup, inputs=inputs, labels=labels)
    sides = {
        "sparse": carried(repeated(sparse_step, steps, scan=scan), sparse),
        "bare": carried(repeated(step, steps, scan=scan), bare),
    }
    times = alternate(sides, runs, title=f"{case}, {network.name}")
    over, loop = "over the bare step", " in a compiled loop" if scan else ""
    ms = figures(times, "ms", factor=1e3 / steps)
    what = f"Training step of {batch} images{loop}, {network.name}"
    return [Row(case, what, ms | {over: ratio(times["sparse"], times["bare"])}, over, reach)]


def states(network: Network, batch: int) -> tuple[Setup, TrainState, TrainState]:
    """The setup, and a pruned network's states for the bare optimizer and for the sparse wrapper.

    Both start with the same weights, since the speed of arithmetic may depend on zeros.
    """
    graph, parts = split_network(make(network).model)
    setup = Setup(graph, sgd(PRESETS["cifar-vgg"], 390), lambda x, _: x, lambda x: x, batch)
    mask, _ = sf.prune(sf.magnitude(), parts.params, COMPRESSION, rounds=1)
    sparse = init_state(setup, parts, mask, jax.random.key(0))
    bare = jax.tree.map(jnp.copy, sparse)
    return setup, bare._replace(optimizer_state=bare.optimizer_state.inner), sparse


def repeated(
    step: Callable[[TrainState], tuple[TrainState, Any]], steps: int, *, scan: bool
) -> Callable[[TrainState], TrainState]:
    if scan:

        def loop(state: TrainState) -> TrainState:
            return jax.lax.scan(lambda state, _: (step(state)[0], None), state, length=steps)[0]

        return jax.jit(loop, donate_argnums=0)
    compiled = jax.jit(lambda state: step(state)[0], donate_argnums=0)

    def advance(state: TrainState) -> TrainState:
        for _ in range(steps):
            state = compiled(state)
        return state

    return advance
