"""Gradual pruning: while a network trains, fewer and fewer weights are kept."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from synflow_jax.checks import (
    check_callable,
    check_compression,
    check_key,
    check_score_fn,
    check_selection,
)
from synflow_jax.copies import own_copy
from synflow_jax.masks import apply_mask, full_mask, is_kernel
from synflow_jax.rounds import counts_from_all, prune_rounds
from synflow_jax.schedules import cubic
from synflow_jax.selection import global_top_k
from synflow_jax.sparse_training.masked import (
    check_update,
    checked_inner,
    masked_step,
    zero_where_pruned,
)
from synflow_jax.sparse_training.states import ChangingState
from synflow_jax.sparse_training.steps import changes_until
from synflow_jax.types import (
    GradientScores,
    Mask,
    Params,
    Prunable,
    Schedule,
    ScoreFn,
    Selection,
)


def prune_gradually(
    inner: optax.GradientTransformation,
    score_fn: ScoreFn,
    compression: float,
    *,
    begin: int,
    end: int,
    every: int,
    schedule: Schedule = cubic,
    select: Selection = global_top_k,
    prunable: Prunable = is_kernel,
    key: jax.Array | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Wraps ``inner`` so that weights are pruned while it trains, from none to ``compression``.

    In step ``begin + k * every``, for k from 1 to ``n = (end - begin) // every``, the weights still
    kept are scored, and the highest scores stay: as many as round k of n of ``schedule`` says
    (Zhu and Gupta 2017, arXiv:1710.01878, with `cubic`, whose ``t0`` is ``begin``). With ``begin
    == end`` all are pruned at once in that step. In between, and after, it's `keep_params_sparse`:
    pruned weights are exactly 0 after every step, and never return. Put it outermost.

    Steps are counted from 0, and a step's mask is made from the params and gradients that its
    ``update`` is given, so that it holds for that update. How many weights are kept is worked out
    on the host in float64, as `prune` does; of equal scores the first stay, and scores that aren't
    finite count as the highest. Another mask compiles nothing anew.

    Args:
        inner: any optax transformation.
        score_fn: `magnitude`, `saliency`, which scores with the gradients that ``update`` is
            given, `random`, `synflow`, or another function that needs no batch.
        compression: prunable weights before / after the last change, finite and at least 1.
        begin: the step in which the schedule starts, at full density.
        end: the step of the last change, or up to ``every - 1`` after it.
        every: steps from one change to the next.
        schedule: `cubic`, `linear`, `exponential`, or your own.
        select: `global_top_k`, `local_top_k` for the same density in each layer, or any other that
            `prune` takes.
        prunable: ``prunable(path, leaf) -> bool``; by default two dimensions or more.
        key: a ``jax.random.key`` for the score function; each change folds in its step.

    Returns:
        A transformation with a `ChangingState`. ``update`` requires ``params``, which must be
        finite where pruned. Updates have the params' shapes, in the wider of the types of the inner
        update and the parameter.

    Raises:
        ValueError: compression, begin, end or every are out of range; in ``init``, nothing is
            prunable, the schedule doesn't return falling densities in (0, 1], or a group has
            2**31 weights or more; in ``update``, params are missing, gradients or params don't
            match the mask, or the score function needs a batch or key that isn't there.
        TypeError: an argument is of another kind; in ``update``, the state isn't a `ChangingState`.

    >>> import jax.numpy as jnp
    >>> import optax
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[1.0, -4.0], [3.0, 2.0]])}
    >>> tx = sf.prune_gradually(optax.sgd(0.0), sf.magnitude(), 4.0, begin=0, end=2, every=1,
    ...                         schedule=sf.exponential)
    >>> state = tx.init(params)
    >>> for _ in range(3):
    ...     updates, state = tx.update(params, state, params)
    ...     params = optax.apply_updates(params, updates)
    ...     print(params["kernel"].tolist())
    [[1.0, -4.0], [3.0, 2.0]]
    [[0.0, -4.0], [3.0, 0.0]]
    [[0.0, -4.0], [0.0, 0.0]]
    """
    inner = checked_inner(inner, "prune_gradually(optax.adam(1e-3), sf.magnitude(), 20, ...)")
    check_score_fn(score_fn)
    compression = check_compression(compression)
    changes = changes_until(begin, end, every)
    check_callable("schedule", schedule, "compression, rounds", "sf.cubic or sf.linear")
    check_selection(select)
    check_callable("prunable", prunable, "path, leaf", "sf.is_kernel or a function of a name")
    check_key(key)

    @functools.cache
    def counts_of(shapes: tuple[tuple[int, ...], ...]) -> np.ndarray:
        counts = counts_from_all(shapes, compression, changes.number, schedule, select)
        if counts.dtype != np.int32:
            raise ValueError(
                f"prune_gradually counts in int32, but select keeps {counts.max():,} weights of "
                "one group; select=sf.local_top_k counts each layer by itself"
            )
        return counts

    def init(params: Params) -> ChangingState:
        mask = full_mask(params, prunable)
        counts_of(_prunable_shapes(mask))
        step = jnp.zeros((), jnp.int32)
        return ChangingState(mask, step, own_copy(key), inner.init(apply_mask(mask, params)))

    # Made once, so that a call outside of jit compiles nothing anew.
    def cut(outer: Any, updates: optax.Updates, params: Params) -> Mask:
        mask, step, key = outer
        row = jnp.asarray(counts_of(_prunable_shapes(mask)))[changes.place(step)]
        batch = updates if isinstance(score_fn, GradientScores) else None
        own = None if key is None else jax.random.fold_in(key, step)
        options = {"batch": batch, "key": own, "select": select}
        return prune_rounds(score_fn, params, mask, row[None], **options)[0]

    def update(
        updates: optax.Updates, state: Any, params: Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, ChangingState]:
        check_update("prune_gradually", ChangingState, updates, state, params)

        outer = state.mask, state.step, state.key
        mask = lax.cond(changes.include(state.step), cut, _as_it_is, outer, updates, params)
        new, inner_state = masked_step(inner, mask, updates, state.inner, params, **extra)
        step = jnp.asarray(optax.safe_increment(state.step))
        state = ChangingState(mask, step, state.key, inner_state)
        return zero_where_pruned(mask, new, params), state

    return optax.GradientTransformationExtraArgs(init, update)


def _as_it_is(outer: Any, updates: optax.Updates, params: Params) -> Mask:
    del updates, params
    return outer[0]


def _prunable_shapes(mask: Mask) -> tuple[tuple[int, ...], ...]:
    return tuple(leaf.shape for leaf in jax.tree.leaves(mask) if jnp.ndim(leaf))
