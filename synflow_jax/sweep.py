"""Many compressions, keys and initializations pruned in one compiled call."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from synflow_jax.checks import check_params
from synflow_jax.masks import is_kernel
from synflow_jax.paths import named_leaves
from synflow_jax.prune import check_finite, check_kept, prune_rounds, round_counts, start_mask
from synflow_jax.schedules import exponential
from synflow_jax.selection import global_top_k
from synflow_jax.types import History, Mask, Params, Prunable, Schedule, ScoreFn, Selection


def sweep(
    score_fn: ScoreFn,
    params: Params,
    compressions: Sequence[float] | np.ndarray,
    *,
    keys: jax.Array | None = None,
    params_axis: int | None = None,
    batch: Any = None,
    rounds: int = 100,
    schedule: Schedule = exponential,
    select: Selection = global_top_k,
    prunable: Prunable = is_kernel,
    mask: Mask | None = None,
) -> tuple[Mask, History]:
    """`prune` for every member of a sweep in one compiled call.

    Member i has ``compressions[i]``, ``keys[i]`` and, with ``params_axis=0``, the i-th slice of
    each leaf of ``params``. Another sweep of as many members reuses the compiled call.

    Args:
        score_fn: as in `prune`.
        params: a pytree of floating-point arrays, shared by all members; or stacked.
        compressions: weights before / weights after, one for each member.
        keys: keys for the score function, of shape ``(members,)``.
        params_axis: 0 if the leaves of ``params`` have a leading axis of members.
        batch: data for the score function, shared by all members.
        rounds: as in `prune`, and so are schedule, select, prunable and mask (one for all).

    Returns:
        Masks and histories of `prune`, each leaf with a leading axis of members.

    Raises:
        ValueError: as in `prune`; no members; or lengths of compressions, keys and stacked params
            that differ.
        TypeError: as in `prune`.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[0.1, -0.4], [0.3, 0.2]])}
    >>> masks, histories = sf.sweep(sf.magnitude(), params, [1.0, 2.0, 4.0], rounds=1)
    >>> masks["kernel"].sum(axis=(1, 2))
    Array([4, 2, 1], dtype=int32)
    """
    members = len(compressions)
    if not members:
        raise ValueError("compressions is empty; pass one for each member of the sweep")
    if keys is not None and len(keys) != members:
        raise ValueError(f"got {len(keys)} keys for {members} compressions; pass one for each")
    check_params(params)
    member = params if params_axis is None else _member_shapes(params, params_axis, members)
    start = start_mask(member, mask, prunable)
    counts = np.stack([round_counts(start, c, rounds, schedule, select) for c in compressions])
    masks, histories = _compiled(
        score_fn,
        params,
        start,
        counts,
        batch=batch,
        keys=keys,
        params_axis=params_axis,
        select=select,
    )
    check_finite(histories, start)
    check_kept(histories, counts)
    return masks, histories


def _sweep(
    score_fn: ScoreFn,
    params: Params,
    mask: Mask,
    counts: jax.Array | np.ndarray,
    *,
    batch: Any,
    keys: jax.Array | None,
    params_axis: int | None,
    select: Selection,
) -> tuple[Mask, History]:
    def one(params: Params, count: Any, key: jax.Array | None) -> tuple[Mask, History]:
        return prune_rounds(score_fn, params, mask, count, batch=batch, key=key, select=select)

    return jax.vmap(one, (params_axis, 0, None if keys is None else 0))(params, counts, keys)


_compiled = jax.jit(_sweep, static_argnames=("score_fn", "params_axis", "select"))


def _member_shapes(params: Params, params_axis: int, members: int) -> Params:
    if params_axis != 0:
        raise ValueError(f"params_axis must be None or 0, got params_axis={params_axis}")
    for name, leaf in named_leaves(params):
        if leaf.shape[:1] != (members,):
            raise ValueError(
                f"with params_axis=0 params leaf '{name}' must have a leading axis of {members}, "
                f"one for each compression, got shape {leaf.shape}"
            )
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), params)
