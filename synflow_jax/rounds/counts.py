"""Where pruning starts, and how many weights each of its rounds keeps."""

import sys
from collections.abc import Sequence
from typing import Any

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
from synflow_jax.selection import count, counts_of
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

    Of N weights in a group a round keeps ``N - floor((1 - density) * N)`` and at least one. From a
    mask that has pruned weights already, densities fall from the mask's own.

    Args:
        mask: the mask of the first round, such as `full_mask(params)`; leaves of full shape are
            prunable, scalar ones aren't.
        compression: weights before / weights after, finite and at least 1.
        rounds: how many rounds, at least 1.
        schedule: `exponential`, `linear`, or your own.
        select: `global_top_k` counts all layers as one group, `local_top_k` each as its own. What
            it can't do with these layers it refuses.

    Returns:
        A NumPy array of shape ``(rounds, groups)``: int32, or int64 if a count is 2**31 or more.
        `prune_rounds` takes it as it is if int32, and as `two_words(counts)` if int64.

    Raises:
        ValueError: compression or rounds are out of range, nothing is prunable, the mask keeps less
            already, the schedule doesn't return falling densities in (0, 1], or ``select.counts``
            doesn't return integers of shape ``(rounds, groups)``.
        TypeError: an argument is of another kind, a leaf of the mask isn't boolean, or a value is
            traced by ``jit``, ``vmap`` or ``grad``.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> mask = sf.full_mask({"kernel": jnp.ones((10, 10))})
    >>> sf.round_counts(mask, 25.0, 2, sf.exponential, sf.global_top_k)
    array([[20],
           [ 4]], dtype=int32)
    """
    check_values({"mask": mask, "compression": compression})
    check_mask(mask, mask)
    compression, rounds = check_compression(compression), check_rounds(rounds)
    check_callable("schedule", schedule, "compression, rounds", "sf.exponential or sf.linear")
    check_selection(select)
    layers = [leaf for leaf in jax.tree.leaves(mask) if np.ndim(leaf)]
    size = sum(leaf.size for leaf in layers)
    kept = _kept(layers)
    if not kept:
        raise ValueError(f"nothing is left to prune: 0 of {size:,} weights are prunable and kept")
    if compression * (kept + select.slack) < size:
        raise ValueError(
            f"compression={compression:g} asks for {size / compression:,.0f} of {size:,} "
            f"weights, but mask keeps only {kept:,}; pass compression >= {size / kept:g}"
        )
    # The product may overflow; so large a compression keeps a single weight whatever the schedule.
    left = max(1.0, min(compression * kept, sys.float_info.max) / size)
    densities = round_densities(schedule, left, rounds)
    if kept < size:
        densities = densities * (kept / size)
        densities[-1] = round_densities(schedule, compression, 1)[-1]
    return counts_of(select, [leaf.shape for leaf in layers], densities)


def counts_from_all(
    shapes: Sequence[tuple[int, ...]],
    compression: float,
    rounds: int,
    schedule: Schedule,
    select: Selection,
) -> np.ndarray:
    """`round_counts` from the mask that keeps everything, by the shapes of its prunable leaves."""
    return counts_of(select, shapes, round_densities(schedule, compression, rounds))


def are_as_counted(kept: Any, asked: Any, select: Selection) -> Any:
    """Whether as many weights are left as asked for, but for the slack of ``select``."""
    return (kept <= asked) & (kept >= asked - select.slack)


def _kept(layers: list[Any]) -> int:
    """How many elements of all layers are ``True``. On a CPU without compiling anything."""
    if all(_is_at_hand(layer) for layer in layers):
        return sum(int(np.count_nonzero(layer)) for layer in layers)
    return sum(int(each) for each in _counted(layers))


def _is_at_hand(layer: Any) -> bool:
    """Whether NumPy reads it where it lies."""
    if not isinstance(layer, jax.Array):
        return True
    devices = layer.devices()
    return len(devices) == 1 and next(iter(devices)).platform == "cpu"


@jax.jit
def _counted(layers: list[jax.Array]) -> list[jax.Array]:
    return [count(layer) for layer in layers]


def round_densities(schedule: Schedule, compression: float, rounds: int) -> np.ndarray:
    """What a schedule returns: float64 of shape ``(rounds,)``, in (0, 1] and never rising."""
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
