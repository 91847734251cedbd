"""The rounds themselves: score, keep the highest, repeat. Pure."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.checks import named_leaves
from synflow_jax.masks import prunable_leaves
from synflow_jax.selection import TwoWordCount, count, global_top_k, largest
from synflow_jax.types import History, Mask, Params, ScoreFn, Scores, Selection


def prune_rounds(
    score_fn: ScoreFn,
    params: Params,
    mask: Mask,
    counts: jax.Array | np.ndarray | TwoWordCount,
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
            2**31 weights on `TwoWordCount`.
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
        _check_scores(scores, params)
        scored = list(zip(layers, of_prunable(scores), strict=True))
        # What isn't finite becomes inf, so that the largest score tells of it.
        candidates = [
            jnp.where(m, jnp.where(jnp.isfinite(s), s, jnp.inf), -jnp.inf) for m, s in scored
        ]
        highest = jnp.stack([largest(each).astype(jnp.float32) for each in candidates])
        layers = select.keep(candidates, to_keep)
        kept = jnp.stack([count(m) for m in layers])
        return layers, History(jnp.sum(kept), kept, highest < jnp.inf, highest > 0)

    each = counts if isinstance(counts, TwoWordCount) else jnp.asarray(counts, jnp.int32)
    rounds = len(jax.tree.leaves(each)[0])
    layers, history = lax.scan(step, of_prunable(mask), (jnp.arange(rounds), each))
    return with_layers(layers), history


def _check_scores(scores: Scores, params: Params) -> None:
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
