"""Many compressions, keys and initializations pruned in one compiled call."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from synflow_jax.checks import (
    check_batch,
    check_bool,
    check_compressions,
    check_instance,
    check_keys,
    check_params,
    check_rounds,
    check_score_fn,
    check_values,
    check_whole,
    named_leaves,
)
from synflow_jax.homogeneous import registrations
from synflow_jax.masks import is_kernel
from synflow_jax.rounds import (
    check_history,
    check_zero_scores,
    may_be_zero,
    prune_rounds,
    round_counts,
    start_mask,
    with_exact_kept,
)
from synflow_jax.schedules import exponential
from synflow_jax.selection import TwoWordCount, global_top_k, on_device
from synflow_jax.sweep.spread import (
    Spread,
    good_chunk,
    in_chunks,
    on_devices,
    shared,
    split,
    spread_of,
)
from synflow_jax.types import History, Mask, Params, Prunable, Schedule, ScoreFn, Selection


class _Shared(NamedTuple):
    """What all members of a sweep start from.

    Attributes:
        params: a pytree of floating-point arrays; None if each member has its own.
        mask: the mask of the first round.
        batch: data for the score function, a pytree of arrays, or None.
    """

    params: Params | None
    mask: Mask
    batch: Any


class _Each(NamedTuple):
    """What each member of a sweep has of its own; every array has a leading axis of members.

    Attributes:
        params: a pytree of floating-point arrays; None if all members share theirs.
        counts: weights to keep, int32 of shape ``(members, rounds, groups)``.
        keys: keys for the score function, of shape ``(members,)``, or None.
    """

    params: Params | None
    counts: jax.Array | np.ndarray | TwoWordCount
    keys: jax.Array | None


def sweep(
    score_fn: ScoreFn,
    params: Params,
    compressions: Sequence[float] | np.ndarray | jax.Array,
    *,
    keys: jax.Array | None = None,
    params_axis: int | None = None,
    batch: Any = None,
    rounds: int = 100,
    schedule: Schedule = exponential,
    select: Selection = global_top_k,
    prunable: Prunable = is_kernel,
    mask: Mask | None = None,
    regrow: bool = False,
    mesh: Mesh | None = None,
    chunk: int | None = None,
) -> tuple[Mask, History]:
    """`prune` for every member of a sweep in one compiled call.

    Member i has ``compressions[i]``, ``keys[i]`` and, with ``params_axis=0``, the i-th slice of
    each leaf of ``params``; its mask is the one that `prune` makes of these. Another sweep of as
    many members reuses the compiled call.

    Members are spread over the devices of ``mesh``, or over those that keys or stacked params are
    split over along their leading axis. Each device prunes its own members, ``chunk`` at a time,
    and none waits for another; what all members share is copied to each device.

    Args:
        score_fn: from `synflow`, `snip`, `grasp`, `magnitude`, `random`, or your own
            ``score_fn(params, mask, batch, key) -> scores``.
        params: a pytree of floating-point arrays, shared by all members; or stacked, with a leading
            axis of members.
        compressions: weights before / weights after, one for each member.
        keys: keys for the score function, of shape ``(members,)``.
        params_axis: 0 if the leaves of ``params`` have a leading axis of members.
        batch: data for the score function, shared by all members.
        rounds: score-and-cut steps, as many for each member.
        schedule: `exponential`, `linear`, or your own.
        select: `global_top_k`, `local_top_k` for the same density in each layer,
            `erdos_renyi_kernel` for one by its shape, `block_top_k` for whole blocks, or
            `n_m_top_k` for N of each M.
        prunable: ``prunable(path, leaf) -> bool``; by default two dimensions or more.
        mask: an earlier mask that all members go on from, which also says what is prunable.
        regrow: whether pruned weights compete in every round with those that are kept.
        mesh: devices to spread the members over, all of them whatever the mesh's axes. If their
            number divides that of the members the masks stay split over them, else each device
            has all masks.
        chunk: how many members at most are pruned at once on a device. By default as many as fit
            in half of its memory, on a CPU in 32 MiB of cache, if a member takes 10 times the bytes
            of its params and 256 times those of its batch. Pass fewer for networks with larger
            activations.

    Returns:
        Masks and a `History` as `prune` returns them, each leaf with a leading axis of members.

    Raises:
        ValueError: there are no members, their number differs among compressions, keys and stacked
            params, ``params_axis`` is another axis, chunk is below 1, or `prune` would raise one
            for a member.
        TypeError: compressions aren't a sequence, keys aren't an array of keys, mesh isn't a
            ``jax.sharding.Mesh``, or `prune` would raise one for a member.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[0.1, -0.4], [0.3, 0.2]])}
    >>> masks, histories = sf.sweep(sf.magnitude(), params, [1.0, 2.0, 4.0], rounds=1)
    >>> masks["kernel"].sum(axis=(1, 2))
    Array([4, 2, 1], dtype=int32)
    >>> mesh = jax.make_mesh((jax.device_count(),), ("members",))
    >>> masks, histories = sf.sweep(sf.magnitude(), params, [1.0, 2.0], rounds=1, mesh=mesh)
    >>> histories.kept[:, -1]
    Array([4, 2], dtype=int32)
    """
    check_score_fn(score_fn)
    members = check_compressions(compressions)
    check_values({"params": params, "compressions": compressions, "batch": batch, "keys": keys})
    check_keys(keys, members)
    check_params(params)
    check_batch(batch)
    if mesh is not None:
        check_instance("mesh", mesh, Mesh, "one from jax.make_mesh")
    chunk = None if chunk is None else check_rounds(chunk, "chunk")
    member = params if params_axis is None else _member_shapes(params, params_axis, members)
    start = start_mask(member, mask, prunable)
    counts = np.stack([round_counts(start, c, rounds, schedule, select) for c in compressions])
    own = params_axis is not None
    common = _Shared(None if own else params, start, batch)
    each = _Each(params if own else None, on_device(counts), keys)
    chunk = chunk or good_chunk(member, batch)
    spread = spread_of(mesh, (each, compressions))
    if spread:
        common, each = shared(common, spread), split(each, members, spread)
    masks, histories = _compiled(
        score_fn,
        common,
        each,
        select=select,
        regrow=check_bool("regrow", regrow),
        chunk=min(chunk, members),
        spread=spread,
        registered=registrations(),
    )
    if spread and members % spread.parts:
        masks, histories = jax.tree.map(lambda leaf: leaf[:members], (masks, histories))
    check_history(histories, start, counts, select, "round {}")
    for i in np.flatnonzero(may_be_zero(histories)).tolist():
        stacked = (params if own else None, masks, keys)
        stacked = shared(stacked, spread) if spread else stacked
        of_member, mask, key = jax.tree.map(lambda leaf, i=i: leaf[i], stacked)
        check_zero_scores(
            score_fn,
            of_member if own else params,
            start,
            mask,
            batch=batch,
            key=key,
            where=f"round 1 of sweep member {i}",
        )
    return masks, with_exact_kept(histories, counts)


def _sweep(
    score_fn: ScoreFn,
    common: _Shared,
    each: _Each,
    *,
    select: Selection,
    regrow: bool,
    chunk: int,
    spread: Spread | None,
    registered: int,
) -> tuple[Mask, History]:
    del registered

    def prune_all(common: _Shared, each: _Each) -> tuple[Mask, History]:
        def one(own: _Each) -> tuple[Mask, History]:
            params = common.params if own.params is None else own.params
            return prune_rounds(
                score_fn,
                params,
                common.mask,
                own.counts,
                batch=common.batch,
                key=own.keys,
                select=select,
                regrow=regrow,
            )

        return in_chunks(jax.vmap(one), each, chunk)

    return (prune_all if spread is None else on_devices(prune_all, spread))(common, each)


_compiled = jax.jit(
    _sweep, static_argnames=("score_fn", "select", "regrow", "chunk", "spread", "registered")
)


def _member_shapes(params: Params, params_axis: int, members: int) -> Params:
    if check_whole("params_axis", params_axis) != 0:
        raise ValueError(f"params_axis must be None or 0, got params_axis={params_axis}")
    for name, leaf in named_leaves(params):
        if leaf.shape[:1] != (members,):
            raise ValueError(
                f"with params_axis=0 params leaf '{name}' must have a leading axis of {members}, "
                f"one for each compression, got shape {leaf.shape}"
            )
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), params)
