"""The time of a round as weights grow."""

from collections.abc import Sequence

import synflow_jax as sf
from benchmarks.harness.figures import Figure, figure, figures
from benchmarks.harness.table import Reach, Row
from benchmarks.harness.timing import alternate
from benchmarks.measurements.rounds import compression
from benchmarks.networks import dense

LARGE = 2**22
"""From so many weights on they don't fit a cache, and each should cost the same."""
METHODS = ("magnitude", "SynFlow")


def by_weights(
    case: str, runs: int, *, widths: Sequence[int], rounds: int, reach: Reach | None = None
) -> list[Row]:
    """Nanoseconds a weight of a round for each size, and how many times the least is the most."""
    cost = {width: _nanoseconds(case, runs, width, rounds) for width in widths}
    rows = [
        Row(case, f"A {method} round, {_weights(width):,} weights", {"ns": each[method]}, "ns")
        for method in METHODS
        for width, each in cost.items()
    ]
    for method in METHODS:
        large = [each[method].median for w, each in cost.items() if _weights(w) >= LARGE]
        if large:
            what = f"A {method} round, most over least cost a weight from {LARGE:,} weights on"
            spread = {"spread": figure([max(large) / min(large)], "x")}
            rows.append(Row(case, what, spread, "spread", reach))
    return rows


def _weights(width: int) -> int:
    return dense.LAYERS * width**2


def _nanoseconds(case: str, runs: int, width: int, rounds: int) -> dict[str, Figure]:
    kernels = dense.kernels(width)
    score_fns = {
        "magnitude": sf.magnitude(),
        "SynFlow": sf.synflow(dense.apply_fn, dense.inputs(width)),
    }
    sides = {
        name: lambda fn=fn: sf.prune(fn, kernels, compression(rounds), rounds=rounds)
        for name, fn in score_fns.items()
    }
    times = alternate(sides, runs, title=f"{case}, {_weights(width):,} weights")
    return figures(times, "ns a weight", factor=1e9 / rounds / _weights(width))
