"""The exact k-th score of a network, mask included, against ``np.partition``."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import synflow_jax as sf
from benchmarks.measure import alternate, figure, ratio
from benchmarks.networks import Network, make
from benchmarks.table import Reach, Row

KEPT = 0.1


def against_partition(
    case: str,
    runs: int,
    *,
    network: Network,
    reach: Reach | None = None,
    reach_ratio: Reach | None = None,
) -> list[Row]:
    """Milliseconds for the mask of the highest scores, and over those of ``np.partition``."""
    scores = synflow_scores(network)
    joined = np.concatenate([np.asarray(leaf).reshape(-1) for leaf in scores])
    count = round(KEPT * joined.size)
    keep = Keep(scores, count)
    sides = {"ours": keep, "theirs": lambda: np.partition(joined, joined.size - count)}
    times = alternate(sides, runs, title=case)
    check(keep.masks, scores, sides["theirs"]()[joined.size - count], count)
    whole, share = f"mask of the highest of {joined.size:,} scores", "of np.partition's time"
    figures = {
        "synflow_jax": figure([1e3 * each for each in times["ours"]], "ms"),
        "np.partition": figure([1e3 * each for each in times["theirs"]], "ms"),
    }
    over = {share: ratio(times["ours"], times["theirs"])}
    return [
        Row(case, f"Exact {whole}", figures, "synflow_jax", reach),
        Row(case, f"Exact {whole}, over np.partition without a mask", over, share, reach_ratio),
    ]


class Keep:
    """`sf.global_top_k` compiled; every call writes the masks of the last one, as a loop does."""

    def __init__(self, scores: list[jax.Array], count: int):
        self.scores, self.row = scores, jnp.array([count], jnp.int32)
        self.masks = [jnp.zeros(leaf.shape, bool) for leaf in scores]
        self.compiled = jax.jit(_keep, donate_argnums=0, keep_unused=True)

    def __call__(self) -> list[jax.Array]:
        self.masks = self.compiled(self.masks, self.scores, self.row)
        return self.masks


def _keep(masks: list[jax.Array], scores: list[jax.Array], row: jax.Array) -> list[jax.Array]:
    del masks
    return sf.global_top_k.keep(scores, row)


def synflow_scores(network: Network) -> list[jax.Array]:
    """The scores of a first round."""
    made = make(network)
    score_fn = jax.jit(sf.synflow(made.apply_fn, made.inputs))
    scores = score_fn(made.params, sf.full_mask(made.params), None, None)
    return [leaf for leaf in jax.tree.leaves(scores) if leaf.ndim >= 2]


def check(masks: list[Any], scores: list[jax.Array], kth: float, count: int) -> None:
    """The masks keep ``count`` scores, the lowest of which is the k-th."""
    kept = sum(int(jnp.sum(mask)) for mask in masks)
    lowest = min(
        float(jnp.min(jnp.where(mask, leaf, jnp.inf)))
        for mask, leaf in zip(masks, scores, strict=True)
    )
    if (kept, lowest) != (count, float(kth)):
        raise AssertionError(f"kept {kept} down to {lowest}; expected {count} down to {kth}")
