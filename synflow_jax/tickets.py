"""Lottery tickets: prune after training, rewind the weights that are left, train again."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax.checks import (
    check_batch,
    check_instance,
    check_key,
    check_params,
    check_params_fn,
    check_rounds,
    check_score_fn,
    check_structure,
    check_values,
    named_leaves,
)
from synflow_jax.masks import apply_mask, is_kernel
from synflow_jax.rounds import are_as_counted, compiled_rounds, round_counts, start_mask
from synflow_jax.schedules import exponential
from synflow_jax.scores import magnitude
from synflow_jax.selection import global_top_k
from synflow_jax.types import History, Mask, Params, Prunable, Schedule, ScoreFn, Selection

TrainFn = Callable[[Params, Mask, Any], Params]
"""``train_fn(params, mask, key) -> params``: trains with the pruned weights kept at 0."""


class Ticket(NamedTuple):
    """A network after one level: a training, a cut and a rewind.

    Attributes:
        level: trainings and cuts done, an int from 1 on.
        mask: which weights are left; boolean leaves, ``True`` keeps.
        params: what to train next: rewound, and exactly 0 where pruned; shapes and dtypes of the
            params that `tickets` was given.
        trained: what this level's training returned, from before the cut, in the same shapes.
        history: of this level's cut, a `History` of one row.
    """

    level: int
    mask: Mask
    params: Params
    trained: Params
    history: History


_magnitude = magnitude()


def tickets(
    train_fn: TrainFn,
    params: Params,
    compression: float,
    *,
    levels: int,
    key: jax.Array | None = None,
    rewind_to: Params | None = None,
    score_fn: ScoreFn = _magnitude,
    batch: Any = None,
    schedule: Schedule = exponential,
    select: Selection = global_top_k,
    prunable: Prunable = is_kernel,
    mask: Mask | None = None,
    resume: Ticket | None = None,
) -> Iterator[Ticket]:
    """Iterative magnitude pruning: `prune` with a training before each of its rounds.

    With weights ``w`` and mask ``m``, level k trains ``m * w``, scores what came out, keeps the
    highest scores among ``m`` and rewinds: the next training starts from ``m * rewind_to``
    (Frankle and Carbin 2019, arXiv:1803.03635, section 2, with ``rewind_to`` the initialization;
    Frankle et al. 2020, arXiv:1912.05671, where it's an early step). After level k exactly as many
    weights are left as after round k of `prune` with as many rounds.

    The levels come one by one, each computed when it's asked for, so that a loop can test or save
    each ticket, or ``break``, before the next training starts. To go on after an interruption call
    again with the same arguments and the last ticket as ``resume``.

    Args:
        train_fn: ``train_fn(params, mask, key) -> params`` with your own loop, data and optimizer;
            wrap that with `keep_params_sparse`. It isn't jitted here.
        params: what the first training starts from, floating-point arrays.
        compression: weights before / weights after the last level, finite and at least 1.
        levels: trainings and cuts. 1 is one-shot pruning.
        key: a ``jax.random.key``, folded with the level's number from 0 and split in two, for
            ``train_fn`` and the score function. Without one both get None.
        rewind_to: params to rewind to, by default ``params``: those stored at step k of the first
            training, if ``train_fn`` goes on from there.
        score_fn: ``score_fn(params, mask, batch, key) -> scores``, of the trained params; by
            default `magnitude`.
        batch: data for the score function, the same in every level.
        schedule: density by level: `exponential`, `linear`, or your own.
        select: `global_top_k`, `local_top_k` for the same density in each layer,
            `erdos_renyi_kernel` for one by its shape, `block_top_k` for whole blocks, or
            `n_m_top_k` for N of each M.
        prunable: ``prunable(path, leaf) -> bool``; by default two dimensions or more.
        mask: an earlier mask to start from. It then also says what is prunable; ``compression``
            still counts from all prunable weights.
        resume: the last ticket of an interrupted call; the level after its own comes first. Only
            its ``level`` and ``mask`` are read; the rest needn't be stored.

    Returns:
        An iterator over one `Ticket` a level. The last one's params are yet to be trained.

    Raises:
        ValueError: at once, compression or levels are out of range, nothing is prunable,
            ``rewind_to`` or mask doesn't match params, or ``resume`` is the ticket of other
            arguments; while iterating, ``train_fn`` returns another structure, shape or dtype, or
            `prune` would raise one for what it returned.
        TypeError: ``train_fn`` isn't a function of params, mask and key, ``resume`` isn't a
            `Ticket`, a leaf of params isn't floating-point, a leaf of the mask isn't boolean,
            another argument is of another kind, or it's called under ``jit``, ``vmap`` or ``grad``.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[0.1, -0.4], [0.3, 0.2]])}
    >>> def train(params, mask, key):  # yours
    ...     return sf.apply_mask(mask, {"kernel": params["kernel"] + 0.25})
    >>> for ticket in sf.tickets(train, params, 4.0, levels=2):
    ...     print(ticket.level, ticket.history.kept, ticket.params["kernel"].tolist())
    1 [2] [[0.0, 0.0], [0.30000001192092896, 0.20000000298023224]]
    2 [1] [[0.0, 0.0], [0.30000001192092896, 0.0]]
    """
    check_params_fn("train_fn", train_fn, "params, mask, key", "a function that returns params")
    check_score_fn(score_fn)
    check_values({"params": params, "compression": compression, "batch": batch, "key": key})
    check_params(params)
    check_batch(batch)
    check_key(key)
    levels = check_rounds(levels, "levels")
    start = start_mask(params, mask, prunable)
    counts = round_counts(start, compression, levels, schedule, select)
    rewind_to = params if rewind_to is None else rewind_to
    _check_like("rewind_to", rewind_to, params)
    first, done = params, 0
    if resume is not None:
        check_instance("resume", resume, Ticket, "the last ticket, or None to begin")
        first, done, start = rewind_to, resume.level, _resumed_mask(resume, params, counts, select)

    def level(index: int, mask: Mask, params: Params) -> Ticket:
        train_key, score_key = (None, None) if key is None else _keys(key, index)
        # A copy, so that training may donate it and the ticket's own stays.
        trained = train_fn(jax.tree.map(jnp.copy, params), mask, train_key)
        _check_like("train_fn's result", trained, params)
        mask, history = compiled_rounds(
            score_fn,
            trained,
            mask,
            counts[index : index + 1],
            batch=batch,
            key=score_key,
            select=select,
            where=f"level {index + 1}",
        )
        return Ticket(index + 1, mask, apply_mask(mask, rewind_to), trained, history)

    return _levels(level, start, apply_mask(start, first), range(done, levels))


def _levels(
    level: Callable[[int, Mask, Params], Ticket], mask: Mask, params: Params, indices: range
) -> Iterator[Ticket]:
    for index in indices:
        ticket = level(index, mask, params)
        yield ticket
        mask, params = ticket.mask, ticket.params


def _keys(key: jax.Array, index: int) -> tuple[jax.Array, jax.Array]:
    train_key, score_key = jax.random.split(jax.random.fold_in(key, index))
    return train_key, score_key


def _resumed_mask(resume: Ticket, params: Params, counts: np.ndarray, select: Selection) -> Mask:
    """The ticket's mask, if it keeps what these counts say after its level."""
    if not 1 <= check_rounds(resume.level, "resume.level") <= len(counts):
        raise ValueError(
            f"resume must be a ticket of level 1 to levels={len(counts)}, "
            f"got resume.level={resume.level}"
        )
    mask = start_mask(params, resume.mask, is_kernel)
    kept = sum(int(jnp.sum(leaf)) for leaf in jax.tree.leaves(mask) if leaf.ndim)
    asked = int(counts[resume.level - 1].sum())
    if not are_as_counted(kept, asked, select):
        raise ValueError(
            f"resume keeps {kept:,} weights, but level {resume.level} of these arguments keeps "
            f"{asked:,}; pass the compression, levels, schedule, select, prunable and mask that "
            "the ticket was made with"
        )
    return mask


def _check_like(name: str, tree: Params, params: Params) -> None:
    """``tree`` has the structure, shapes and dtypes of ``params``."""
    check_structure(name, tree, params, "params")
    check_values({name: tree})
    check_params(tree, name)
    for (path, leaf), param in zip(named_leaves(tree), jax.tree.leaves(params), strict=True):
        if (leaf.shape, leaf.dtype) != (param.shape, param.dtype):
            raise ValueError(
                f"{name} leaf '{path}' must be like its parameter, {param.dtype}{param.shape}, "
                f"got {leaf.dtype}{leaf.shape}"
            )
