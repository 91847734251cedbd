"""Edge-popup: scores that are trained in place of the weights."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from synflow_jax.checks import (
    check_compression,
    check_optimizer,
    check_rounds,
    check_selection,
)
from synflow_jax.losses import check_loss_fn, checked_loss, nan_unless_finite
from synflow_jax.scores.learned import (
    Arrays,
    descended,
    drawn,
    frozen,
    straight_through_of,
    taken_in_turn,
)
from synflow_jax.selection import counts_of, local_top_k, on_device
from synflow_jax.types import LossFn, Mask, Params, ScoreFn, Scores, Selection


def edge_popup(
    loss_fn: LossFn,
    compression: float,
    *,
    optimizer: optax.GradientTransformation,
    steps: int,
    select: Selection = local_top_k,
) -> ScoreFn:
    """Score ``|s|``, where s is trained so that the weights with the highest ``|s|`` work best.

    The weights w stay as they are. In each step the network has ``m * w``, where m keeps the
    highest ``|s|``, and the optimizer is given the gradient ``dL/dm * sign(s)`` of every s, with
    ``dL/dm = w * dL/d(m w)``, as if m were ``|s|`` itself: pruned weights come back when they would
    help (Ramanujan et al. 2020, arXiv:1911.13299: "What's hidden in a randomly weighted
    neural network?"). The network that's left is good without any training of its weights. First
    scores are uniform between ``+-1 / sqrt(fan_in)``.

    ``sf.prune(score_fn, params, compression, rounds=1, select=select, batch=batch, key=key)``, with
    the same compression and selection, gives the mask that was trained.

    Args:
        loss_fn: ``loss_fn(params, batch) -> scalar``, the mean over a minibatch, such as
            `cross_entropy(apply_fn)`.
        compression: weights before / weights after, at least 1, of the network in each step.
        optimizer: any Optax transformation of the scores. The paper's is
            ``optax.sgd(0.1, momentum=0.9)`` with a cosine schedule and a weight decay of 1e-4.
        steps: how many, at least 1.
        select: which scores the network in each step has, by default the highest of each layer.

    Returns:
        A score function that needs a key, and a batch whose arrays have minibatches along their
        first axis, and their examples along the second; minibatches are taken in turn, again from
        the first after the last. The scores have the params' shapes and dtypes, but at least
        float32; they are 0 where pruned and for what isn't prunable, and all NaN if the loss wasn't
        finite in some step.

    Raises:
        ValueError: compression or steps are out of range; when the score function is called, the
            batch is None or its arrays haven't these axes, the key is None, ``loss_fn`` fails or
            returns more than one number, ``select`` refuses the layers, or mask and params don't
            match.
        TypeError: an argument is of another kind; when the score function is called, the loss isn't
            floating-point or comes with something else, or a leaf of the mask isn't boolean.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[1.0], [2.0], [-2.0]])}  # loss: the distance from 2
    >>> score_fn = sf.edge_popup(lambda params, x: jnp.sum((x @ params["kernel"] - 2) ** 2), 3.0,
    ...                          optimizer=optax.sgd(0.1), steps=20)
    >>> options = {"batch": jnp.ones((1, 1, 3)), "key": jax.random.key(0), "rounds": 1}
    >>> mask, _ = sf.prune(score_fn, params, 3.0, select=sf.local_top_k, **options)
    >>> mask["kernel"].ravel()
    Array([False,  True, False], dtype=bool)
    """
    check_loss_fn(loss_fn)
    checked = checked_loss("edge_popup", loss_fn)
    density = 1 / check_compression(compression)
    check_optimizer("optimizer", optimizer, "optax.sgd(0.1, momentum=0.9)")
    steps = check_rounds(steps, "steps")
    check_selection(select)

    def score_fn(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        minibatch, network = taken_in_turn("edge_popup", batch), frozen(params, mask)
        counts = counts_of(select, [w.shape for w in network.weights], np.array([density]))
        row = jax.tree.map(lambda words: words[0], on_device(counts))

        def step(carry: Any, index: jax.Array) -> tuple[Any, jax.Array]:
            scores, state = carry
            sizes = [
                jnp.where(m, jnp.abs(s), -jnp.inf)
                for m, s in zip(network.masks, scores, strict=True)
            ]
            kept = select.keep(sizes, row)

            def loss_of(scores: Arrays) -> jax.Array:
                pairs = zip(kept, scores, strict=True)
                factors = [straight_through_of(m, jnp.abs(s)) for m, s in pairs]
                return checked(network.of_factors(factors), minibatch(index))

            scores, state, loss = descended(loss_of, optimizer, scores, state)
            return (scores, state), loss

        scores = drawn("edge_popup", key, network.weights, _kaiming_uniform)
        start = scores, optimizer.init(scores)
        (scores, _), losses = lax.scan(step, start, jnp.arange(steps))
        sizes = [jnp.where(m, jnp.abs(s), 0) for m, s in zip(network.masks, scores, strict=True)]
        return nan_unless_finite(jnp.sum(losses), network.tree_of(sizes))

    return score_fn


def _kaiming_uniform(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    # He et al.'s with a leaky slope of sqrt(5), as PyTorch initializes weights.
    bound = 1 / math.sqrt(max(1, math.prod(shape[:-1])))
    return jax.random.uniform(key, shape, dtype, -bound, bound)
