"""Pruning in rounds: score, keep the highest, repeat."""

from typing import Any

import jax

from synflow_jax.checks import (
    check_batch,
    check_bool,
    check_key,
    check_params,
    check_score_fn,
    check_values,
)
from synflow_jax.masks import is_kernel
from synflow_jax.rounds import check_progress, compiled_rounds, round_counts, start_mask
from synflow_jax.schedules import exponential
from synflow_jax.selection import global_top_k
from synflow_jax.types import (
    History,
    Mask,
    Params,
    Progress,
    Prunable,
    Schedule,
    ScoreFn,
    Selection,
)


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
    regrow: bool = False,
    progress: bool | Progress = False,
) -> tuple[Mask, History]:
    """A mask that keeps ``1 / compression`` of the prunable weights, found in ``rounds`` rounds.

    In each round the weights still kept are scored with the others at zero, and those with the
    highest scores stay (Tanaka et al. 2020, arXiv:2006.05467, algorithm 1). Of N prunable weights a
    round keeps exactly ``N - floor((1 - density) * N)``, unless ``select`` says otherwise; of equal
    scores the first stay, in the order of ``jax.tree.leaves`` and then row by row. All rounds run
    in one compiled call. Another call with the same score function, select, shapes and number of
    rounds compiles nothing.

    After many rounds a float32 mask isn't the same on every platform: sums in another order swap
    two nearly equal scores, and the difference grows from round to round. Such masks keep similar
    numbers of weights in each layer and are equally good; score in float64 for equal masks.

    Args:
        score_fn: from `synflow`, `snip`, `grasp`, `magnitude`, `random`, or your own
            ``score_fn(params, mask, batch, key) -> scores``.
        params: a pytree of floating-point arrays.
        compression: weights before / weights after, finite and at least 1.
        batch: data for the score function, the same in every round.
        key: a ``jax.random.key`` for the score function, folded with the round's number.
        rounds: score-and-cut steps. The paper takes 100 for SynFlow and 1 for the others.
        schedule: `exponential`, `linear`, or your own.
        select: `global_top_k`, `local_top_k` for the same density in each layer, `block_top_k` for
            whole blocks, `n_m_top_k` for N of each M, or densities by layer: `erdos_renyi`,
            `erdos_renyi_kernel`, `igq`, `uniform_plus`, `smart_ratio`.
        prunable: ``prunable(path, leaf) -> bool``; by default two dimensions or more.
        mask: an earlier mask to go on from. It then also says what is prunable; ``compression``
            still counts from all prunable weights, and the schedule starts at the mask's density.
        regrow: whether pruned weights compete in every round with those that are kept, scored by
            what they would do at the masked network: FORCE with `snip` (de Jorge et al. 2021,
            arXiv:2006.09081, algorithm 1), whose iterative SNIP is ``regrow=False``.
        progress: ``True`` draws a bar of the rounds with the weights that are left, by the package
            tqdm; or a function ``progress(done, rounds, kept)`` of ints, called after each round
            while the compiled call goes on; it mustn't call JAX. The first call with any of them
            compiles a program of its own.

    Returns:
        The mask, with the structure of params: boolean leaves of the parameter's shape where
        prunable, and scalar ``True`` elsewhere; and a `History` with one row a round.

    Raises:
        ValueError: compression or rounds are out of range, nothing is prunable, mask and params
            don't match or the mask keeps less already, batch or key is missing, the score function
            fails, or scores aren't finite; in the first round, all scores are 0, or all those of a
            layer that would be cut by position alone.
        TypeError: a leaf of params or of the scores isn't floating-point, a leaf of the mask isn't
            boolean, an argument is of another kind, or it's called under ``jit``, ``vmap`` or
            ``grad``, where `prune_rounds` works.
        ImportError: ``progress=True`` and the package tqdm isn't installed.

    Warns:
        UserWarning: a layer's scores are all 0 in the first round and others' aren't, so that it's
            cut first: no path from the inputs to the outputs uses it.

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
    return compiled_rounds(
        score_fn,
        params,
        start,
        counts,
        batch=batch,
        key=key,
        select=select,
        regrow=check_bool("regrow", regrow),
        progress=check_progress(progress),
    )
