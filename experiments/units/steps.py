"""The time of a training step of what pruning leaves."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.runs.cells import run_cells
from experiments.training import TrainState, compacted, init_state, train_step
from experiments.units.experiment import Pruning, prunings, short, unpruned
from experiments.units.options import Options
from experiments.units.rows import StepRow
from experiments.units.ways import Case, Pruned

_init = jax.jit(init_state, static_argnums=0)
_step = jax.jit(train_step, static_argnums=0, donate_argnums=1)


def step_rows(options: Options, cases: Sequence[Case], folder: Path) -> list[StepRow]:
    """Of each network as it is, and of those that the options say."""
    cells = {short(case.network): partial(case_rows, options, case) for case in cases}
    return run_cells(folder / "steps", cells, StepRow)


def case_rows(options: Options, case: Case) -> list[StepRow]:
    """All networks are compiled, several at a time, and then make their steps in turns."""
    ways = prunings(options, case).items()
    timed = [each for way, every in ways if way in options.timed for each in every[::2]]
    with ThreadPoolExecutor(options.workers) as pool:
        ready = list(pool.map(partial(compiled, case), [unpruned(case), *timed]))
    seconds = np.median(in_turns(ready, options.steps), axis=0).tolist()
    return [
        StepRow(case.network, *pruning[:2], found.weights, found.multiplications, each)
        for (pruning, found, *_), each in zip(ready, seconds, strict=True)
    ]


class Ready(NamedTuple):
    """A pruned network, its state, and a compiled training step, from a state to the next."""

    pruning: Pruning
    found: Pruned
    state: TrainState
    step: Callable[[TrainState], TrainState]


def compiled(case: Case, pruning: Pruning) -> Ready:
    """The network of the first seed made small, with its step on the first images."""
    member = case.members[0]
    found = pruning.prune(member)
    task, network, mask = compacted(case.task, member.network, found.mask)
    setup, (images, labels) = task.setup, (x[: task.setup.batch_size] for x in task.data.train)
    inputs: tuple[Any, Any] = setup.prepare_test(images), labels
    state = _init(setup, network, mask, member.training_key)
    program = _step.lower(setup, state, *inputs).compile()
    return Ready(pruning, found, state, lambda state: program(state, *inputs)[0])


def in_turns(ready: Sequence[Ready], steps: int) -> np.ndarray:
    """Seconds of each step of each network, float64 of shape ``(steps, networks)``."""
    seconds = np.zeros((steps + 1, len(ready)))
    states = [each.state for each in ready]
    for turn in range(steps + 1):
        for i, each in enumerate(ready):
            started = time.perf_counter()
            states[i] = jax.block_until_ready(each.step(states[i]))
            seconds[turn, i] = time.perf_counter() - started
    return seconds[1:]
