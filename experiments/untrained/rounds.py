"""Pruning round by round, each a compiled call, with the scores of every round at hand.

`synflow_jax.prune` compiles all rounds into one loop, and reports counts alone.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import synflow_jax as sf
from experiments.method_table import competing


class Round(NamedTuple):
    """What happened in a round, float64 or int64 of shape ``(layers,)`` over the prunable layers.

    Attributes:
        mask: after the round.
        scores: summed over the weights that the round began with.
        cut: summed over the weights that the round cut.
        kept: weights left.
    """

    mask: Any
    scores: np.ndarray
    cut: np.ndarray
    kept: np.ndarray


def prune_by_rounds(
    score_fn: Callable[..., Any],
    params: Any,
    compression: float,
    *,
    rounds: int,
    schedule: Callable[[float, int], np.ndarray] = sf.exponential,
    regrow: bool = False,
    select: sf.Selection = sf.global_top_k,
    batch: Any = None,
    key: jax.Array | None = None,
) -> Iterator[Round]:
    """The rounds of ``sf.prune`` with these arguments, one by one.

    Raises:
        ValueError: scores aren't finite.
    """
    mask = sf.full_mask(params)
    counts = sf.round_counts(mask, compression, rounds, schedule, select)
    for index, row in enumerate(counts):
        round_key = None if key is None else jax.random.fold_in(key, index)
        mask, finite, *layers = _round(
            score_fn,
            params,
            mask,
            row[None],
            batch=batch,
            key=round_key,
            regrow=regrow,
            select=select,
        )
        if not finite:
            raise ValueError(f"scores aren't finite in round {index + 1} of {rounds}")
        scores, cut, kept = (np.asarray(layer) for layer in layers)
        yield Round(mask, scores.astype(np.float64), cut.astype(np.float64), kept.astype(np.int64))


@partial(jax.jit, static_argnames=("score_fn", "regrow", "select"))
def _round(
    score_fn: Callable[..., Any],
    params: Any,
    mask: Any,
    row: Any,
    *,
    batch: Any,
    key: Any,
    regrow: bool,
    select: sf.Selection,
) -> Any:
    scores = competing(score_fn, regrow=regrow)(params, mask, batch, key)
    # Computed once, for the cut and for the sums.
    after, history = sf.prune_rounds(
        lambda *_: scores, params, mask, row, select=select, regrow=regrow
    )
    trees = (mask, after, scores)
    layers = [each for each in zip(*map(jax.tree.leaves, trees), strict=True) if each[0].ndim]
    before = jnp.stack([jnp.sum(jnp.where(m, s, 0)) for m, _, s in layers])
    cut = jnp.stack([jnp.sum(jnp.where(m & ~a, s, 0)) for m, a, s in layers])
    return after, jnp.all(history.finite), before, cut, history.kept_by_layer[-1]
