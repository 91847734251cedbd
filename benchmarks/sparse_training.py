"""`sf.keep_params_sparse` against the bare optimizer: a whole training step."""

from benchmarks.measure import figure, ratio
from benchmarks.table import Reach, Row
from benchmarks.training import measure


def against_bare_optimizer(
    case: str, runs: int, *, name: str, batch: int, steps: int, reach: Reach | None = None
) -> list[Row]:
    """Milliseconds a step of both, and one over the other."""
    times = measure(name, batch=batch, steps=steps, runs=runs, scan=False)
    figures = {
        "sparse": figure([1e3 * each for each in times.sparse], "ms"),
        "bare": figure([1e3 * each for each in times.dense], "ms"),
        "over the bare step": ratio(times.sparse, times.dense),
    }
    what = f"Training step of {batch} images, {name}"
    return [Row(case, what, figures, "over the bare step", reach)]
