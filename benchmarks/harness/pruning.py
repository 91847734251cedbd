"""The calls of the library that several measurements make."""

from collections.abc import Callable
from typing import Any

import jax

import synflow_jax as sf
from benchmarks.networks.zoo import Made

COMPRESSION = 10.0
"""Where it matters little."""


def synflow_call(
    made: Made, rounds: int, compression: float = COMPRESSION
) -> Callable[[], tuple[sf.Mask, Any]]:
    """A call that prunes by SynFlow; it holds the params, not the model."""
    params, score_fn = made.params, sf.synflow(made.apply_fn, made.inputs)
    return lambda: sf.prune(score_fn, params, compression, rounds=rounds)


def compiled_rounds(score_fn: sf.ScoreFn, params: Any, rounds: int) -> tuple[Any, tuple[Any, ...]]:
    """The compiled loop of rounds that `sf.prune` runs, and its arguments."""
    mask = sf.full_mask(params)
    counts = sf.round_counts(mask, COMPRESSION, rounds, sf.exponential, sf.global_top_k)
    loop = jax.jit(sf.prune_rounds, static_argnames=("score_fn", "select"))
    compiled = loop.lower(score_fn, params, mask, counts).compile()
    return compiled, (params, mask, counts)
