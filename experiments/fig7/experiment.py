"""Every schedule, compression and number of rounds, and the largest cut of each."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax

from experiments.fig7.options import SCHEDULES, Options
from experiments.fig7.rows import Cut
from experiments.method_table import score_fns
from experiments.runs.cells import run_cells
from experiments.untrained.options import standard_subject
from experiments.untrained.rounds import prune_by_rounds
from experiments.untrained.subject import untrained


def experiment(options: Options, folder: Path) -> list[Cut]:
    """Every schedule, compression and number of rounds, of one network."""
    network = untrained(standard_subject(options))
    score_fn = score_fns(network.apply_fn, network.inputs.shape[1:])["synflow"]
    params = network.params_of(jax.random.key(options.seed))
    cells = {
        f"{schedule}-{power}-{rounds}": partial(cut_rows, score_fn, params, schedule, power, rounds)
        for schedule in options.schedules
        for power in sorted(options.log10_compressions)
        for rounds in sorted(options.rounds)
    }
    return run_cells(folder, cells, Cut)


def cut_rows(
    score_fn: Callable[..., Any], params: Any, schedule: str, power: float, rounds: int
) -> list[Cut]:
    """The one row of a cell."""
    done = prune_by_rounds(score_fn, params, 10**power, rounds=rounds, schedule=SCHEDULES[schedule])
    # Layers' sums differ by rounding alone; where biases carry flow, the last layer's is the least.
    ratio = max(float(each.cut.sum() / each.scores[-1]) for each in done)
    return [Cut(schedule, power, rounds, ratio)]
