"""Pruning in rounds: score, keep the highest, repeat."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.arguments import (
    check_key,
    check_score_fn,
)
from synflow_jax.checks import (
    check_batch,
    check_mask,
    check_params,
    check_scalars,
    check_values,
)
from synflow_jax.counting import count, largest
from synflow_jax.masks import full_mask, is_kernel, prunable_leaves
from synflow_jax.paths import named_leaves
from synflow_jax.schedules import exponential, round_counts
from synflow_jax.selection import global_top_k
from synflow_jax.types import (
    History,
    Mask,
    Params,
    Prunable,
    Schedule,
    ScoreFn,
    Scores,
    Selection,
)
from synflow_jax.wide import Wide, wide


def prune(
    score_fn: ScoreFn,
    params: Params,
    compression: float,
    *,
    batch: Any = None,
    key: jax.Array | None = None,
    rounds: int = 100,
    schedule: Schedule = exponential,
    select: Selection = global_top_k,
    prunable: Prunable = is_kernel,
    mask: Mask | None = None,
) -> tuple[Mask, History]:
    """A mask that keeps ``1 / compression`` of the prunable weights, found in ``rounds`` rounds.

    In each round the weights still kept are scored with the others at zero, and the highest
    scores stay (Tanaka et al. 2020, algorithm 1). Of N prunable weights a round keeps exactly
    ``N - floor((1 - density) * N)``; equal scores are told apart by position, the first stay. All
    rounds run in one compiled call, reused while score function, select, shapes and rounds stay.

    After many rounds a float32 mask isn't the same on every platform: sums in another order swap
    two nearly equal scores, and the difference grows from round to round. Such masks keep similar
    numbers in each layer and are equally good; for equal ones score in float64.

    Args:
        score_fn: from `synflow`, `snip`, `grasp`, `magnitude`, `random`, or your own
            ``score_fn(params, mask, batch, key) -> scores``.
        params: a pytree of floating-point arrays.
        compression: weights before / weights after, finite and at least 1.
        batch: data for the score function, the same in every round.
        key: a ``jax.random.key`` for the score function, folded with the round's number.
        rounds: score-and-cut steps. The paper takes 100 for SynFlow and 1 for the others.
        schedule: `exponential`, `linear`, or your own.
        select: `global_top_k`, or `local_top_k` for the same density in each layer.
        prunable: ``prunable(path, leaf) -> bool``; by default two dimensions or more.
        mask: an earlier mask to go on from. It then also says what is prunable; ``compression``
            still counts from all prunable weights, and the schedule starts at the mask's density.

    Returns:
        The mask: params' structure, boolean leaves of full shape where prunable and scalar
        ``True`` elsewhere; and a `History` with one row a round.

    Raises:
        ValueError: compression or rounds out of range, nothing prunable, mask and params don't
            match or the mask keeps less already, batch or key missing, the score function fails,
            or scores that aren't finite.
        TypeError: a leaf of params or a score isn't floating-point, a mask's isn't boolean, an
            argument is of another kind, or it's called under ``jit``, ``vmap`` or ``grad``: there
            `prune_rounds` works.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[0.1, -0.4], [0.3, 0.2]]), "bias": jnp.zeros(2)}
    >>> mask, history = sf.prune(sf.magnitude(), params, 2.0, rounds=1)
    >>> mask["kernel"]
    Array([[False,  True],
           [ True, False]], dtype=bool)
    >>> history.kept
    Array([2], dtype=int32)
    """
    check_score_fn(score_fn)
    check_values({"params": params, "compression": compression, "batch": batch, "key": key})
    check_params(params)
    check_batch(batch)
    check_key(key)
    start = start_mask(params, mask, prunable)
    counts = round_counts(start, compression, rounds, schedule, select)
    pruned, history = _compiled(
        score_fn, params, start, on_device(counts), batch=batch, key=key, select=select
    )
    check_values({"what score_fn returned": history.kept})
    check_finite(history, start)
    check_kept(history, counts)
    return pruned, with_totals(history, counts)


def prune_rounds(
    score_fn: ScoreFn,
    params: Params,
    mask: Mask,
    counts: jax.Array | np.ndarray | Wide,
    *,
    batch: Any = None,
    key: jax.Array | None = None,
    select: Selection = global_top_k,
) -> tuple[Mask, History]:
    """What `prune` compiles: pure, and works under ``jit``, ``vmap`` and sharding.

    Args:
        score_fn: scores the params under the mask of each round.
        params: a pytree of floating-point arrays.
        mask: where to start; leaves of full shape are pruned, scalar ones aren't.
        counts: weights to keep, int32 of shape ``(rounds, groups)``, from `round_counts`; from
            2**31 weights on `Wide`.
        batch: data for the score function.
        key: a key for the score function, folded with the round's number.
        select: which scores a round keeps.

    Returns:
        The mask and the `History`. Scores that aren't finite are recorded there, not refused.
    """
    structure = jax.tree.structure(mask)
    prunable = prunable_leaves(mask)

    def of_prunable(tree: Any) -> list[Any]:
        return [leaf for leaf, p in zip(jax.tree.leaves(tree), prunable, strict=True) if p]

    def with_layers(layers: list[jax.Array]) -> Mask:
        given = iter(layers)
        return structure.unflatten([next(given) if p else jnp.array(True) for p in prunable])

    def step(layers: list[jax.Array], row: tuple[jax.Array, Any]) -> tuple[Any, History]:
        index, to_keep = row
        round_key = None if key is None else jax.random.fold_in(key, index)
        scores = score_fn(params, with_layers(layers), batch, round_key)
        check_scores(scores, params)
        scored = list(zip(layers, of_prunable(scores), strict=True))
        # What isn't finite becomes inf, so that the largest score tells of it.
        candidates = [
            jnp.where(m, jnp.where(jnp.isfinite(s), s, jnp.inf), -jnp.inf) for m, s in scored
        ]
        finite = [largest(each) < jnp.inf for each in candidates]
        layers = select.keep(candidates, to_keep)
        kept = jnp.stack([count(m) for m in layers])
        return layers, History(jnp.sum(kept), kept, jnp.stack(finite))

    each = counts if isinstance(counts, Wide) else jnp.asarray(counts, jnp.int32)
    rounds = len(jax.tree.leaves(each)[0])
    layers, history = lax.scan(step, of_prunable(mask), (jnp.arange(rounds), each))
    return with_layers(layers), history


_compiled = jax.jit(prune_rounds, static_argnames=("score_fn", "select"))


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


def on_device(counts: np.ndarray) -> jax.Array | np.ndarray | Wide:
    """Counts of any size for the compiled loop."""
    return wide(counts) if counts.dtype == np.int64 else counts


def with_totals(history: History, counts: np.ndarray) -> History:
    """The history with exact totals, added up on the host, if a count needs int64."""
    if counts.dtype != np.int64:
        return history
    return history._replace(kept=_kept(history))


def _kept(history: History) -> np.ndarray:
    return np.asarray(history.kept_by_layer).sum(axis=-1, dtype=np.int64)


def check_scores(scores: Scores, params: Params) -> None:
    """A score function returned floating-point scores of the params' structure and shapes."""
    if jax.tree.structure(scores) != jax.tree.structure(params):
        raise ValueError(
            "scores must have the structure of params, got "
            f"{jax.tree.structure(scores)} for {jax.tree.structure(params)}"
        )
    for (name, score), param in zip(named_leaves(scores), jax.tree.leaves(params), strict=True):
        if jnp.shape(score) != param.shape:
            raise ValueError(
                f"scores leaf '{name}' must have its parameter's shape {param.shape}, "
                f"got {jnp.shape(score)}"
            )
        if not jnp.issubdtype(jnp.result_type(score), jnp.floating):
            raise TypeError(
                f"scores leaf '{name}' must be floating-point, got {jnp.result_type(score)}"
            )


def check_kept(history: History, counts: np.ndarray) -> None:
    """As many weights are left as asked for."""
    kept, asked = _kept(history)[..., -1], counts[..., -1, :].sum(-1)
    if np.any(kept != asked):
        raise ValueError(
            f"{kept} weights are left instead of {asked}: the earlier mask keeps fewer of some "
            "layer than select asks for; pass a higher compression or sf.global_top_k"
        )


def check_finite(history: History, mask: Mask) -> None:
    """All scores were finite in every round (and every member of a sweep)."""
    finite = np.asarray(history.finite)
    if finite.all():
        return
    *member, round_, layer = np.argwhere(~finite)[0].tolist()
    names = [name for name, leaf in named_leaves(mask) if leaf.ndim]
    where = f"round {round_ + 1}" + (f" of sweep member {member[0]}" if member else "")
    raise ValueError(
        f"scores of leaf '{names[layer]}' aren't finite in {where}; look for inf or NaN in its "
        "params and batch, or an overflow in the network (dtype=jnp.float64 reaches further)"
    )
