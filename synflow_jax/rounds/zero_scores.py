"""Scores that are all 0 in the first round: only their positions would decide over weights."""

import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax.checks import named_leaves
from synflow_jax.types import History, Mask, Params, PathScores, ScoreFn


def may_be_zero(history: History) -> np.ndarray:
    """Whether a layer's scores may all have been 0 in the first round.

    Returns:
        A boolean scalar, or of shape ``(members,)`` for the history of a sweep.
    """
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
    """A layer whose scores are all 0 in the first round lost nothing, or only what no path uses.

    Then it's cut first, with a warning.

    Raises:
        ValueError: all scores are 0, or a layer that lost weights has weights that are all 0 or
            scores too small for their floating-point type.
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


def _layer_names(mask: Mask) -> list[str]:
    return [name for name, leaf in named_leaves(mask) if jnp.ndim(leaf)]


def _even(params: Params) -> Params:
    """Params that are 0 where these are and else 1 / fan-in, so that a flow keeps its size."""

    def even(leaf: jax.Array) -> jax.Array:
        inputs = math.prod(leaf.shape[:-1]) if leaf.ndim > 1 else 1
        return jnp.where(leaf == 0, 0, 1 / inputs).astype(leaf.dtype)

    return jax.tree.map(even, params)


def _zero_layers(tree: Any, start: Mask) -> set[str]:
    """Names of the layers that have weights left in a mask, for all of which the tree is 0."""
    names, masks = zip(*((n, m) for n, m in named_leaves(start) if jnp.ndim(m)), strict=True)
    leaves = [x for x, m in zip(*map(jax.tree.leaves, (tree, start)), strict=True) if jnp.ndim(m)]
    pairs = zip(names, leaves, masks, strict=True)
    return {n for n, x, m in pairs if bool(jnp.any(m)) and not bool(jnp.any(m & (x != 0)))}


def _cut(start: Mask, mask: Mask) -> dict[str, bool]:
    """Whether each layer, by its name, lost weights."""
    pairs = zip(named_leaves(start), jax.tree.leaves(mask), strict=True)
    return {n: bool(jnp.any(before & ~after)) for (n, before), after in pairs if jnp.ndim(before)}
