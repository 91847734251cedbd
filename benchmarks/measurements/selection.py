"""The exact k-th score of a network against ``np.partition``, and against a kernel for GPUs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

import synflow_jax as sf
from benchmarks.harness.figures import figures, ratio
from benchmarks.harness.table import Reach, Row
from benchmarks.harness.timing import alternate
from benchmarks.kernels.histogram import kth_by_digits
from benchmarks.networks.zoo import Network, make

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
    count = kept(scores)
    ours = our_search(scores)
    theirs = partial(np.partition, joined, joined.size - count)
    found, expected = float(ours()), float(theirs()[joined.size - count])
    if found != expected:
        raise AssertionError(f"score {count:,} of {joined.size:,} is {expected}, not {found}")
    sides = {"synflow_jax": in_a_row(ours), "np.partition": in_a_row(theirs)}
    times = alternate(sides, runs, title=case)
    what, share = f"Exact {count:,}th of {joined.size:,} scores", "of np.partition's time"
    ms = figures(times, "ms", factor=1e3 / REPEATS)
    over = {share: ratio(times["synflow_jax"], times["np.partition"])}
    return [
        Row(case, what, ms, "synflow_jax", reach),
        Row(case, f"{what}, over np.partition", over, share, reach_ratio),
    ]


def against_histogram(case: str, runs: int, *, network: Network) -> list[Row]:
    """Milliseconds for the k-th score, and those of a kernel that may replace the search on GPUs.

    It's interpreted where there is no GPU.
    """
    scores = synflow_scores(network)
    kernel = partial(kth_by_digits, interpret=jax.default_backend() != "gpu")
    ours, theirs = our_search(scores), partial(jax.jit(kernel), scores, kept(scores))
    if float(ours()) != float(theirs()):
        raise AssertionError(f"the histograms found {float(theirs())}, not {float(ours())}")
    sides = {"synflow_jax": in_a_row(ours), "four histograms": in_a_row(theirs)}
    times = alternate(sides, runs, title=case)
    ms = figures(times, "ms", factor=1e3 / REPEATS)
    return [Row(case, f"Exact {kept(scores):,}th of all scores", ms, "four histograms", None)]


def our_search(scores: list[jax.Array]) -> Callable[[], jax.Array]:
    """One search."""
    return partial(jax.jit(sf.kth_highest), scores, kept(scores))


def in_a_row(call: Callable[[], Any]) -> Callable[[], None]:
    """``REPEATS`` calls."""

    def calls() -> None:
        for _ in range(REPEATS):
            jax.block_until_ready(call())

    return calls


def kept(scores: list[jax.Array]) -> int:
    """Which score is looked for, from the highest."""
    return round(KEPT * sum(leaf.size for leaf in scores))


def synflow_scores(network: Network) -> list[jax.Array]:
    """The scores of a first round."""
    made = make(network)
    score_fn = jax.jit(sf.synflow(made.apply_fn, made.inputs))
    scores = score_fn(made.params, sf.full_mask(made.params), None, None)
    return [leaf for leaf in jax.tree.leaves(scores) if leaf.ndim >= 2]
