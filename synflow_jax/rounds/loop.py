"""The rounds themselves: score, keep the highest, repeat. Pure."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.checks import named_leaves
from synflow_jax.masks import prunable_leaves
from synflow_jax.selection import (
    TwoWordCount,
    count_of_each,
    global_top_k,
    joined,
    largest_of_each,
    of_one_type,
    parted,
    starts_of,
)
from synflow_jax.types import History, Mask, Params, ReturningScores, ScoreFn, Scores, Selection


def prune_rounds(
    score_fn: ScoreFn,
    params: Params,
    mask: Mask,
    counts: jax.Array | np.ndarray | TwoWordCount,
    *,
    batch: Any = None,
    key: jax.Array | None = None,
    select: Selection = global_top_k,
    regrow: bool = False,
    each_round: Callable[[jax.Array, jax.Array], object] | None = None,
) -> tuple[Mask, History]:
    """The rounds that `prune` compiles, as a pure function for your own ``jit`` or ``vmap``.

    Each round scores the weights still kept, with the others at zero, and keeps as many of the
    highest as ``counts`` says (Tanaka et al. 2020, arXiv:2006.05467, algorithm 1). Values aren't
    checked, since they may be traced: that is done by `prune`, and by `round_counts` for the
    counts.

    Args:
        score_fn: ``score_fn(params, mask, batch, key) -> scores``.
        params: a pytree of floating-point arrays.
        mask: where to start, such as `full_mask(params)`: boolean leaves of full shape are pruned,
            scalar ones aren't.
        counts: weights to keep, int32 of shape ``(rounds, groups)``, from `round_counts`; int64
            ones as a `TwoWordCount`, from `two_words(counts)`.
        batch: data for the score function.
        key: a key for the score function, folded with the round's number from 0.
        select: `global_top_k`, or `local_top_k` for the same density in each layer.
        regrow: whether pruned weights compete in every round with those that are kept.
        each_round: traced after each round with how many are done and the weights left by layer,
            for ``jax.debug.callback`` and the like.

    Returns:
        The mask, in the shapes of the one given, and a `History` with one row a round. Scores that
        aren't finite are recorded there, not refused.

    Raises:
        ValueError: scores haven't the structure and shapes of params, or the score function raises
            one.
        TypeError: scores aren't floating-point, or the score function raises one.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[0.1, -0.4], [0.3, 0.2]])}
    >>> mask = sf.full_mask(params)
    >>> counts = sf.round_counts(mask, 4.0, 2, sf.exponential, sf.global_top_k)
    >>> rounds = jax.jit(sf.prune_rounds, static_argnums=0)
    >>> mask, history = rounds(sf.magnitude(), params, mask, counts)
    >>> history.kept
    Array([2, 1], dtype=int32)
    """
    score_of = all_scores(score_fn) if regrow else score_fn
    structure = jax.tree.structure(mask)
    prunable = prunable_leaves(mask)

    def of_prunable(tree: Any) -> list[Any]:
        return [leaf for leaf, p in zip(jax.tree.leaves(tree), prunable, strict=True) if p]

    def with_layers(layers: list[jax.Array]) -> Mask:
        given = iter(layers)
        return structure.unflatten([next(given) if p else jnp.array(True) for p in prunable])

    shapes = of_prunable(mask)

    def step(carry: tuple[Any, Any], row: tuple[jax.Array, Any]) -> tuple[Any, History]:
        (masks, starts), (index, to_keep) = carry, row
        # Else the compiler finds that these numbers never change.
        starts = lax.optimization_barrier(starts)
        round_key = None if key is None else jax.random.fold_in(key, index)
        scores = score_of(params, with_layers(parted(masks, shapes, starts)), batch, round_key)
        check_scores(scores, params)
        # What isn't finite becomes inf, so that the largest score tells of it.
        candidates = [
            jnp.where(m | regrow, jnp.where(jnp.isfinite(s), s, jnp.inf), -jnp.inf)
            for m, s in zip(masks, joined(of_one_type(of_prunable(scores))), strict=True)
        ]
        layers = parted(candidates, shapes)
        highest = largest_of_each(layers).astype(jnp.float32)
        layers = select.keep(layers, to_keep)
        kept = count_of_each(layers)
        if each_round is not None:
            each_round(index + 1, kept)
        told = History(jnp.sum(kept), kept, highest < jnp.inf, highest > 0)
        return (joined(layers), starts), told

    each = counts if isinstance(counts, TwoWordCount) else jnp.asarray(counts, jnp.int32)
    rounds = len(jax.tree.leaves(each)[0])
    first = joined(shapes), starts_of(shapes)
    (masks, starts), history = lax.scan(step, first, (jnp.arange(rounds), each))
    return with_layers(parted(masks, shapes, starts)), history


def all_scores(score_fn: ScoreFn) -> ScoreFn:
    """The function that scores pruned weights too."""
    if isinstance(score_fn, ReturningScores):
        return score_fn.of_all
    own = getattr(score_fn, "__module__", "").startswith("synflow_jax.")
    if own:
        raise ValueError(
            "regrow=True needs scores of pruned weights, and those of this score function are 0, "
            "so that none would return; pass sf.snip(loss_fn), or a function of your own"
        )
    return score_fn


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
