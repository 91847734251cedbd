"""Training speed in images/s: the sparse wrapper against dense training, step for step.

Run it as python -m benchmarks.training [--quick] [--scan]. Both sides run in alternation. The last
column is the time of a sparse step over that of the dense one beside it: median, lowest, highest.
The aim is at most 1.03.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

import synflow_jax as sf
from experiments.training import (
    PRESETS,
    Metrics,
    Setup,
    TrainState,
    init_state,
    optimizer_step,
    sgd,
    split_network,
    train_step,
)

MODELS = ("lottery/resnet20", "lottery/vgg16-bn")
COMPRESSION = 10.0


class Times(NamedTuple):
    """Seconds a step, one number a run."""

    dense: list[float]
    sparse: list[float]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer images, for a CPU")
    parser.add_argument("--scan", action="store_true", help="steps in one compiled loop")
    options = parser.parse_args()
    batch, steps, runs = (32, 2, 5) if options.quick else (128, 20, 9)
    device = jax.devices()[0].device_kind
    print(f"{device}, batch {batch}, {runs} runs of {steps} steps, scan={options.scan}")
    print(f"{'model':18}{'dense images/s':>16}{'sparse images/s':>17}   sparse / dense time")
    for name in MODELS:
        times = measure(name, batch=batch, steps=steps, runs=runs, scan=options.scan)
        print(f"{name:18}{_line(times, batch)}", flush=True)


def measure(name: str, *, batch: int, steps: int, runs: int, scan: bool) -> Times:
    """Both sides in alternation, after one run of each to compile."""
    setup, dense, sparse = sides(name, batch)
    inputs = jax.random.normal(jax.random.key(0), (batch, 32, 32, 3))
    labels = jnp.arange(batch) % 10
    steppers = (
        partial(optimizer_step, setup, setup.optimizer, inputs=inputs, labels=labels),
        partial(train_step, setup, inputs=inputs, labels=labels),
    )
    advance = [_repeated(step, steps, scan=scan) for step in steppers]
    states, times = [dense, sparse], Times([], [])
    for run in range(runs + 1):
        # Each side goes first in turn.
        for side in (0, 1) if run % 2 else (1, 0):
            started = time.perf_counter()
            states[side] = jax.block_until_ready(advance[side](states[side]))
            if run:
                times[side].append((time.perf_counter() - started) / steps)
    return times


def sides(name: str, batch: int) -> tuple[Setup, TrainState, TrainState]:
    """The setup, and a pruned network's states for dense training and for the sparse wrapper.

    Both start with the same weights, since the speed of arithmetic may depend on zeros.
    """
    model = sf.models.create(name, num_classes=10, input_shape=(32, 32, 3), rngs=nnx.Rngs(0))
    graph, network = split_network(model)
    setup = Setup(graph, sgd(PRESETS["cifar-vgg"], 390), lambda x, _: x, lambda x: x, batch)
    mask, _ = sf.prune(sf.magnitude(), network.params, COMPRESSION, rounds=1)
    sparse = init_state(setup, network, mask, jax.random.key(0))
    dense = jax.tree.map(jnp.copy, sparse)
    return setup, dense._replace(optimizer_state=dense.optimizer_state.inner), sparse


def _repeated(
    step: Callable[[TrainState], tuple[TrainState, Metrics]], steps: int, *, scan: bool
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


def _line(times: Times, batch: int) -> str:
    ratios = [sparse / dense for dense, sparse in zip(*times, strict=True)]
    dense, sparse = (batch / statistics.median(each) for each in times)
    middle = statistics.median(ratios)
    return f"{dense:16,.1f}{sparse:17,.1f}   {middle:.3f} ({min(ratios):.3f}-{max(ratios):.3f})"


if __name__ == "__main__":
    main()
