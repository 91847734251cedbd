"""Where pruning starts, and how many weights each of its rounds keeps."""

import sys

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax.checks import (
    check_callable,
    check_compression,
    check_mask,
    check_rounds,
    check_scalars,
    check_selection,
    check_values,
)
from synflow_jax.masks import full_mask
from synflow_jax.selection import count
from synflow_jax.types import Mask, Params, Prunable, Schedule, Selection


def start_mask(params: Params, mask: Mask | None, prunable: Prunable) -> Mask:
    """The mask of the first round: everything, or ``mask`` with full-shaped prunable leaves."""
    if mask is None:
        return full_mask(params, prunable)
    check_values({"mask": mask})
    check_mask(mask, params)
    check_scalars(mask)
    return jax.tree.map(
        lambda m, p: jnp.broadcast_to(m, p.shape) if jnp.ndim(m) else jnp.array(True), mask, params
    )


def round_counts(
    mask: Mask, compression: float, rounds: int, schedule: Schedule, select: Selection
) -> np.ndarray:
    """How many weights each round keeps, worked out on the host in float64.

    Args:
        mask: the mask of the first round, from `start_mask`.
        compression: weights before / weights after.
        rounds: number of rounds.
        schedule: density by round.
        select: gives the groups that are counted.

    Returns:
        int32 of shape ``(rounds, groups)``, int64 if a count needs it.

    Raises:
        ValueError: compression or rounds out of range, the mask keeps less already, or the
            schedule's densities rise.
        TypeError: an argument is of another kind, or traced: counts are made on the host.
    """
    check_values({"mask": mask, "compression": compression})
    check_mask(mask, mask)
    compression, rounds = check_compression(compression), check_rounds(rounds)
    check_callable("schedule", schedule, "compression, rounds", "sf.exponential or sf.linear")
    check_selection(select)
    layers = [leaf for leaf in jax.tree.leaves(mask) if np.ndim(leaf)]
    sizes = [leaf.size for leaf in layers]
    total, kept = sum(sizes), sum(int(each) for each in _counted(layers))
    if not kept:
        raise ValueError(f"nothing is left to prune: 0 of {total:,} weights are prunable and kept")
    if compression * kept < total:
        raise ValueError(
            f"compression={compression:g} asks for {total / compression:,.0f} of {total:,} "
            f"weights, but mask keeps only {kept:,}; pass compression >= {total / kept:g}"
        )
    # The product is beyond a float's range where a single weight is kept, whatever the schedule.
    left = min(compression * kept, sys.float_info.max) / total
    densities = _densities(schedule, left, rounds)
    if kept < total:
        densities = densities * (kept / total)
        densities[-1] = _densities(schedule, compression, 1)[-1]
    counts = np.asarray(select.counts(sizes, densities))
    if counts.ndim != 2 or len(counts) != rounds or counts.dtype.kind not in "iu":
        raise ValueError(
            f"select.counts must return integers of shape (rounds, groups) for {rounds} rounds, "
            f"got {counts.dtype}{counts.shape}"
        )
    return counts.astype(np.int32) if counts.max() < 2**31 else counts


@jax.jit
def _counted(layers: list[jax.Array]) -> list[jax.Array]:
    return [count(layer) for layer in layers]


def _densities(schedule: Schedule, compression: float, rounds: int) -> np.ndarray:
    returned = schedule(compression, rounds)
    try:
        densities = np.asarray(returned, np.float64)
    except (TypeError, ValueError):
        densities = np.full((), np.nan)
    falling = densities.shape == (rounds,) and np.all(np.diff(densities, prepend=1.0) <= 0)
    if not falling or not densities[-1] > 0:
        raise ValueError(
            f"schedule must return {rounds} densities in (0, 1] that don't rise, got {returned}"
        )
    return densities
