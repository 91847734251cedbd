"""The rounds of pruning: what `prune`, `sweep` and `tickets` start from, compile and check."""

import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.checks import check_mask, check_scalars, check_values
from synflow_jax.counting import count, largest
from synflow_jax.homogeneous import registrations
from synflow_jax.masks import full_mask, prunable_leaves
from synflow_jax.paths import named_leaves
from synflow_jax.selection import global_top_k
from synflow_jax.types import (
    History,
    Mask,
    Params,
    PathScores,
    Prunable,
    ScoreFn,
    Scores,
    Selection,
)
from synflow_jax.wide import Wide, wide


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
        highest = jnp.stack([largest(each).astype(jnp.float32) for each in candidates])
        layers = select.keep(candidates, to_keep)
        kept = jnp.stack([count(m) for m in layers])
        return layers, History(jnp.sum(kept), kept, highest < jnp.inf, highest > 0)

    each = counts if isinstance(counts, Wide) else jnp.asarray(counts, jnp.int32)
    rounds = len(jax.tree.leaves(each)[0])
    layers, history = lax.scan(step, of_prunable(mask), (jnp.arange(rounds), each))
    return with_layers(layers), history


def _rounds(score_fn: ScoreFn, *args: Any, registered: int, **options: Any) -> tuple[Mask, History]:
    del registered
    return prune_rounds(score_fn, *args, **options)


_compiled = jax.jit(_rounds, static_argnames=("score_fn", "select", "registered"))


def compiled_rounds(
    score_fn: ScoreFn,
    params: Params,
    start: Mask,
    counts: np.ndarray,
    *,
    batch: Any,
    key: jax.Array | None,
    select: Selection,
    where: str = "round {}",
) -> tuple[Mask, History]:
    """`prune_rounds` as one compiled call, with checks of what came out.

    Args:
        score_fn: as in `prune`, and so are params, batch, key and select.
        start: the mask of the first round, from `start_mask`.
        counts: from `round_counts`, of any size.
        where: how messages name a round by its number.
    """
    mask, history = _compiled(
        score_fn,
        params,
        start,
        on_device(counts),
        batch=batch,
        key=key,
        select=select,
        registered=registrations(),
    )
    check_history(history, start, counts, where)
    if is_cut_by_position(history):
        first = where.format(1)
        check_zero_scores(score_fn, params, start, mask, batch=batch, key=key, where=first)
    return mask, with_totals(history, counts)


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


def check_history(history: History, start: Mask, counts: np.ndarray, where: str) -> None:
    """All scores were finite, and as many weights are left as asked for."""
    check_values({"what score_fn returned": history.kept})
    finite = np.asarray(history.finite)
    if not finite.all():
        *member, round_, layer = np.argwhere(~finite)[0].tolist()
        at = where.format(round_ + 1) + (f" of sweep member {member[0]}" if member else "")
        raise ValueError(
            f"scores of leaf '{_layer_names(start)[layer]}' aren't finite in {at}; look for inf or "
            "NaN in its params and batch, labels that are no class, or an overflow in the network "
            "(dtype=jnp.float64 reaches further)"
        )
    kept, asked = _kept(history)[..., -1], counts[..., -1, :].sum(-1)
    if np.any(kept != asked):
        raise ValueError(
            f"{kept} weights are left instead of {asked}: the earlier mask keeps fewer of some "
            "layer than select asks for; pass a higher compression or sf.global_top_k"
        )


def _layer_names(mask: Mask) -> list[str]:
    return [name for name, leaf in named_leaves(mask) if jnp.ndim(leaf)]


def is_cut_by_position(history: History) -> np.ndarray:
    """Whether a layer's scores may all have been 0 in the first round; of each sweep member."""
    return np.asarray(~np.asarray(history.positive)[..., 0, :].all(axis=-1))


def check_zero_scores(
    score_fn: ScoreFn,
    params: Params,
    start: Mask,
    mask: Mask,
    *,
    batch: Any,
    key: jax.Array | None,
    where: str,
) -> None:
    """Scores that are all 0 in the first round cut nothing, or only what no path uses.

    Raises:
        ValueError: all scores are 0, or those of a layer whose weights are all 0, or that paths
            do use.
    """
    first_key = None if key is None else jax.random.fold_in(key, 0)
    zero = _zero_layers(jax.jit(score_fn)(params, start, batch, first_key), start)
    lost = {name for name, leaf in _cut(start, mask).items() if leaf}
    if not lost & zero:
        return
    weightless = _zero_layers(params, start) & zero
    names = [name for name in _layer_names(start) if name in zero]
    if len(zero) == len(_layer_names(start)):
        cause = f"; the weights of '{min(weightless)}' are all 0" if weightless else ""
        raise ValueError(
            f"scores of leaf '{names[0]}' and of all others are 0 in {where}: no path leads from "
            "the inputs to the outputs, or the loss depends on no weight, so that the mask would "
            f"be one by position{cause}"
        )
    if weightless & lost:
        raise ValueError(
            f"scores of leaf '{min(weightless & lost)}' are all 0 in {where}, since its weights "
            "are, so that all of them would be cut first; initialize it otherwise, or let "
            "prunable(path, leaf) be False there"
        )
    if isinstance(score_fn, PathScores):
        even = jax.jit(score_fn)(_even(params), start, batch, first_key)
        if faint := (zero & lost) - _zero_layers(even, start):
            raise ValueError(
                f"scores of leaf '{min(faint)}' are all 0 in {where}, too small beside the largest "
                "for their floating-point type, so that its weights would be cut by position; "
                "score with dtype=jnp.float64 (and jax.config.update('jax_enable_x64', True))"
            )
    warnings.warn(
        f"scores of leaf '{min(zero & lost)}' are all 0 in {where}: no path from the inputs to the "
        "outputs uses it (a scale that starts at 0, or a layer without use), so it's cut first",
        stacklevel=4,
    )


def _even(params: Params) -> Params:
    """Params that are 0 in the same places, through which a flow hardly grows or falls."""

    def even(leaf: jax.Array) -> jax.Array:
        inputs = math.prod(leaf.shape[:-1]) if leaf.ndim > 1 else 1
        return jnp.where(leaf == 0, 0, 1 / inputs).astype(leaf.dtype)

    return jax.tree.map(even, params)


def _zero_layers(tree: Any, start: Mask) -> set[str]:
    """Layers of which something is left in a mask, and all of that is 0."""
    names, masks = zip(*((n, m) for n, m in named_leaves(start) if jnp.ndim(m)), strict=True)
    leaves = [x for x, m in zip(*map(jax.tree.leaves, (tree, start)), strict=True) if jnp.ndim(m)]
    pairs = zip(names, leaves, masks, strict=True)
    return {n for n, x, m in pairs if bool(jnp.any(m)) and not bool(jnp.any(m & (x != 0)))}


def _cut(start: Mask, mask: Mask) -> dict[str, bool]:
    """Whether each layer lost weights."""
    pairs = zip(named_leaves(start), jax.tree.leaves(mask), strict=True)
    return {n: bool(jnp.any(before & ~after)) for (n, before), after in pairs if jnp.ndim(before)}
