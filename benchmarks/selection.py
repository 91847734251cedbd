"""The exact k-th score of a network against ``np.partition``."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

import synflow_jax as sf
from benchmarks.measure import alternate, figure, ratio
from benchmarks.networks import Network, make
from benchmarks.table import Reach, Row

KEPT, REPEATS = 0.1, 10
"""The fraction of scores above the one looked for, and calls in a row, as in a loop of rounds."""


def against_partition(
    case: str,
    runs: int,
    *,
    network: Network,
    reach: Reach | None = None,
    reach_ratio: Reach | None = None,
) -> list[Row]:
    """Milliseconds for the k-th score, and over those of ``np.partition``."""
    scores = synflow_scores(network)
    joined = np.concatenate([np.asarray(leaf).reshape(-1) for leaf in scores])
    count = round(KEPT * joined.size)
    find = jax.jit(sf.kth_highest)
    sides = {
        "ours": partial(find, scores, count),
        "theirs": partial(np.partition, joined, joined.size - count),
    }
    in_a_row = {side: partial(_repeated, call) for side, call in sides.items()}
    times = alternate(in_a_row, runs, title=case)
    ours, theirs = float(sides["ours"]()), float(sides["theirs"]()[joined.size - count])
    if ours != theirs:
        raise AssertionError(f"score {count:,} of {joined.size:,} is {theirs}, not {ours}")
    what, share = f"Exact {count:,}th of {joined.size:,} scores", "of np.partition's time"
    figures = {
        "synflow_jax": figure([1e3 * each / REPEATS for each in times["ours"]], "ms"),
        "np.partition": figure([1e3 * each / REPEATS for each in times["theirs"]], "ms"),
    }
    over = {share: ratio(times["ours"], times["theirs"])}
    return [
        Row(case, what, figures, "synflow_jax", reach),
        Row(case, f"{what}, over np.partition", over, share, reach_ratio),
    ]


def _repeated(call: Callable[[], Any]) -> None:
    for _ in range(REPEATS):
        jax.block_until_ready(call())


def synflow_scores(network: Network) -> list[jax.Array]:
    """The scores of a first round."""
    made = make(network)
    score_fn = jax.jit(sf.synflow(made.apply_fn, made.inputs))
    scores = score_fn(made.params, sf.full_mask(made.params), None, None)
    return [leaf for leaf in jax.tree.leaves(scores) if leaf.ndim >= 2]
