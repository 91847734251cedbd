"""All rounds in one compiled call, and checks of what came out."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax.checks import check_values, named_leaves
from synflow_jax.homogeneous import registrations
from synflow_jax.rounds.counts import are_as_counted
from synflow_jax.rounds.loop import prune_rounds
from synflow_jax.rounds.progress import listening, tell
from synflow_jax.rounds.zero_scores import check_zero_scores, may_be_zero
from synflow_jax.selection import on_device
from synflow_jax.types import History, Mask, Params, Progress, ScoreFn, Selection


def _rounds(
    score_fn: ScoreFn, *args: Any, registered: int, listener: Any, **options: Any
) -> tuple[Mask, History]:
    del registered
    each_round = None if listener is None else partial(jax.debug.callback, tell, listener)
    return prune_rounds(score_fn, *args, each_round=each_round, **options)


_compiled = jax.jit(_rounds, static_argnames=("score_fn", "select", "regrow", "registered"))


def compiled_rounds(
    score_fn: ScoreFn,
    params: Params,
    start: Mask,
    counts: np.ndarray,
    *,
    batch: Any,
    key: jax.Array | None,
    select: Selection,
    regrow: bool = False,
    where: str = "round {}",
    progress: bool | Progress = False,
) -> tuple[Mask, History]:
    """`prune_rounds` as one compiled call, with checks of what came out.

    Args:
        score_fn: ``score_fn(params, mask, batch, key) -> scores``.
        params: a pytree of floating-point arrays.
        start: the mask of the first round, from `start_mask`.
        counts: from `round_counts`, int32 or int64.
        batch: data for the score function.
        key: a key for the score function, folded with the round's number.
        select: which scores a round keeps.
        regrow: whether pruned weights compete too.
        where: how messages name a round, with ``{}`` for its number.
        progress: ``True`` for a bar, or a function that is told of each round.

    Returns:
        The mask and the `History`.

    Raises:
        ValueError: scores aren't finite, fewer weights are left than asked for, or scores are 0
            where only position would decide.
    """
    with listening(progress, len(counts)) as listener:
        mask, history = _compiled(
            score_fn,
            params,
            start,
            on_device(counts),
            batch=batch,
            key=key,
            select=select,
            regrow=regrow,
            registered=registrations(),
            listener=listener,
        )
    check_history(history, start, counts, select, where)
    if may_be_zero(history):
        first = where.format(1)
        check_zero_scores(score_fn, params, start, mask, batch=batch, key=key, where=first)
    return mask, with_exact_kept(history, counts)


def with_exact_kept(history: History, counts: np.ndarray) -> History:
    """The history, with ``kept`` added up on the host in int64 if the counts are int64."""
    if counts.dtype != np.int64:
        return history
    return history._replace(kept=_kept(history))


def _kept(history: History) -> np.ndarray:
    return np.asarray(history.kept_by_layer).sum(axis=-1, dtype=np.int64)


def check_history(
    history: History, start: Mask, counts: np.ndarray, select: Selection, where: str
) -> None:
    """All scores were finite, and as many weights are left as asked for."""
    check_values({"what score_fn returned": history.kept})
    finite = np.asarray(history.finite)
    if not finite.all():
        *member, round_, layer = np.argwhere(~finite)[0].tolist()
        at = where.format(round_ + 1) + (f" of sweep member {member[0]}" if member else "")
        names = [name for name, leaf in named_leaves(start) if jnp.ndim(leaf)]
        raise ValueError(
            f"scores of leaf '{names[layer]}' aren't finite in {at}; look for inf or "
            "NaN in its params and batch, labels that are no class, or an overflow in the network "
            "(dtype=jnp.float64 reaches further)"
        )
    kept, asked = _kept(history)[..., -1], counts[..., -1, :].sum(-1)
    if not np.all(are_as_counted(kept, asked, select)):
        raise ValueError(
            f"{kept} weights are left instead of {asked}: the earlier mask keeps fewer of some "
            "layer, block or group than select asks for; pass a higher compression or "
            "sf.global_top_k"
        )
