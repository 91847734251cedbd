"""How the density falls from round to round, and how many weights that keeps.

Schedules run on the host in float64. In float32 on a device the count of weights to keep would
be off by 2 at 1.4e8 weights.
"""

import sys
from collections.abc import Sequence

import jax
import numpy as np

from synflow_jax.arguments import (
    check_callable,
    check_compression,
    check_rounds,
    check_selection,
)
from synflow_jax.checks import check_mask, check_values
from synflow_jax.counting import count
from synflow_jax.types import Mask, Schedule, Selection


def exponential(compression: float, rounds: int) -> np.ndarray:
    """Density ``compression ** -(k / rounds)`` after round ``k = 1, ..., rounds``.

    Each round removes the same fraction of what is left (Tanaka et al. 2020, algorithm 1).

    Args:
        compression: weights before over weights after, at least 1.
        rounds: number of rounds, at least 1.

    Returns:
        Densities in (0, 1], float64 of shape ``(rounds,)``.

    Raises:
        ValueError: compression or rounds out of range; a TypeError if not numbers.

    >>> import synflow_jax as sf
    >>> sf.exponential(100.0, 2)
    array([0.1 , 0.01])
    """
    compression, rounds = check_compression(compression), check_rounds(rounds)
    # Python's power, not NumPy's: NumPy's vectorized one differs in the last bit by processor.
    return np.array([compression ** -(k / rounds) for k in range(1, rounds + 1)])


def linear(compression: float, rounds: int) -> np.ndarray:
    """Density ``1 - (1 - 1 / compression) * k / rounds`` after round ``k = 1, ..., rounds``.

    Each round removes the same number of weights (Tanaka et al. 2020, figure 7).

    Args:
        compression: weights before over weights after, at least 1.
        rounds: number of rounds, at least 1.

    Returns:
        Densities in (0, 1], float64 of shape ``(rounds,)``.

    Raises:
        ValueError: compression or rounds out of range; a TypeError if not numbers.

    >>> import synflow_jax as sf
    >>> sf.linear(100.0, 2)
    array([0.505, 0.01 ])
    """
    compression, rounds = check_compression(compression), check_rounds(rounds)
    densities = 1.0 - (1.0 - 1.0 / compression) * (np.arange(1, rounds + 1) / rounds)
    # From 1e16 on 1 - 1 / compression is 1.
    return np.where(densities > 0, densities, 1.0 / compression)


def kept_counts(size: int, densities: Sequence[float] | np.ndarray) -> np.ndarray:
    """How many of ``size`` weights each density keeps: ``size - floor((1 - density) * size)``.

    One at least, if there are any, where ``1 - density`` is 1 in float64.

    Returns:
        int64 of shape ``(rounds,)``; exact for any size below 2**53.

    >>> from synflow_jax.schedules import kept_counts
    >>> kept_counts(1000, [0.1, 0.0155])
    array([100,  16])
    """
    kept = size - np.floor((1.0 - np.asarray(densities, np.float64)) * size).astype(np.int64)
    return np.maximum(kept, min(size, 1))


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
