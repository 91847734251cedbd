"""Wall-clock times of several sides that take turns."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from tqdm import tqdm

PAUSE = 0.1


class Figure(NamedTuple):
    """A number measured several times: its median, lowest and highest value."""

    median: float
    lowest: float
    highest: float
    unit: str

    def __str__(self) -> str:
        if self.lowest == self.highest:
            return f"{number(self.median)} {self.unit}"
        spread = f"{number(self.lowest)} to {number(self.highest)}"
        return f"{number(self.median)} {self.unit} ({spread})"


def figure(values: Sequence[float], unit: str) -> Figure:
    """What several measurements of one thing come to."""
    return Figure(statistics.median(values), min(values), max(values), unit)


def number(value: float) -> str:
    """Three digits, more where they stand before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(numerator: Sequence[float], denominator: Sequence[float], unit: str = "x") -> Figure:
    """Measurement by measurement, so that a slow moment of the machine meets both sides."""
    return figure([a / b for a, b in zip(numerator, denominator, strict=True)], unit)


def seconds(call: Callable[[], Any]) -> float:
    """How long a call takes until its results are there."""
    started = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - started


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
