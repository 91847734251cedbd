"""Wall-clock times of several sides that take turns."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
from tqdm import tqdm

T = TypeVar("T")
PAUSE = 0.1


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """What a call returns, and how many seconds it takes until that is there."""
    started = time.perf_counter()
    result = jax.block_until_ready(call())
    return result, time.perf_counter() - started


def seconds(call: Callable[[], Any]) -> float:
    """How long a call takes until its results are there."""
    return timed(call)[1]


def carried(step: Callable[[T], T], state: T) -> Callable[[], T]:
    """Calls ``step`` on what the call before returned, so that it may be donated."""
    states = [state]

    def call() -> T:
        states.append(step(states.pop()))
        return states[0]

    return call


def alternate(
    sides: Mapping[str, Callable[[], Any]], runs: int, *, title: str
) -> dict[str, list[float]]:
    """Seconds of ``runs`` calls of each side, after one of each to warm up.

    The sides take turns, and so does which is first. Threads of the last one are given time to
    fall asleep.
    """
    names = list(sides)
    for name in names:
        seconds(sides[name])
    times: dict[str, list[float]] = {name: [] for name in names}
    for run in tqdm(range(runs), desc=title, leave=False, disable=None):
        for name in names if run % 2 else reversed(names):
            time.sleep(PAUSE)
            times[name].append(seconds(sides[name]))
    return times
