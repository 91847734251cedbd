"""Gem-Miner: probabilities that are trained in place of the weights, and frozen step by step."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from synflow_jax.checks import (
    check_compression,
    check_optimizer,
    check_rounds,
    check_selection,
)
from synflow_jax.losses import check_loss_fn, checked_loss, nan_unless_finite
from synflow_jax.schedules import exponential
from synflow_jax.scores.learned import (
    Arrays,
    descended,
    drawn,
    frozen,
    straight_through_of,
    taken_in_turn,
)
from synflow_jax.selection import counts_of, global_top_k, on_device
from synflow_jax.types import LossFn, Mask, Params, ScoreFn, Scores, Selection


def gem_miner(
    loss_fn: LossFn,
    compression: float,
    *,
    optimizer: optax.GradientTransformation,
    steps: int,
    every: int,
    select: Selection = global_top_k,
) -> ScoreFn:
    """Score probabilities p that are trained, the lowest of which are frozen at 0 on the way.

    The weights w stay as they are. In each step the network has ``q * round(p) * w``, and the
    optimizer is given the gradient of every p as if the network had ``q * p * w``; then p is
    clipped to [0, 1]. After every ``every`` steps the lowest p are frozen: q becomes 0 there for
    good, so that after the j-th of n freezings ``compression ** -(j / n)`` of all weights are left
    (Sreenivasan et al. 2022, arXiv:2202.12002, algorithm 1: "Rare gems"). First p are uniform in
    [0, 1].

    ``sf.prune(score_fn, params, compression, rounds=1, select=select, batch=batch, key=key)``, with
    the same compression and selection, keeps what isn't frozen at the end. The authors go on and
    train those weights.

    The authors' program differs in four ways. Its mask is ``q * round(p)``; here those with a p
    below 1/2 that aren't frozen stay too, so that exactly as many stay as asked for. It may add the
    size of p to the loss; here it isn't. It freezes after epochs, and of equal p all or none; here
    after steps, and the last. It masks biases too where networks have some; here what is prunable.

    Args:
        loss_fn: ``loss_fn(params, batch) -> scalar``, the mean over a minibatch, such as
            `cross_entropy(apply_fn)`.
        compression: weights before / weights after, at least 1, once all freezings are done.
        optimizer: any Optax transformation of the probabilities, such as
            ``optax.sgd(0.1, momentum=0.9)``.
        steps: how many in all, a multiple of ``every``.
        every: how many from one freezing to the next; the last one is after all steps.
        select: which probabilities aren't frozen, by default the highest of all layers.

    Returns:
        A score function that needs a key, and a batch whose arrays have minibatches along their
        first axis, and their examples along the second; minibatches are taken in turn, again from
        the first after the last. A score is how many freezings a weight survived plus its last p.
        The scores have the params' shapes and dtypes, but at least float32; they are 0 where pruned
        and for what isn't prunable, and all NaN if the loss wasn't finite in some step.

    Raises:
        ValueError: compression, steps or every are out of range; when the score function is called,
            the batch is None or its arrays haven't these axes, the key is None, ``loss_fn`` fails
            or returns more than one number, ``select`` refuses the layers, or mask and params don't
            match.
        TypeError: an argument is of another kind; when the score function is called, the loss isn't
            floating-point or comes with something else, or a leaf of the mask isn't boolean.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[1.0], [2.0], [-2.0]])}  # loss: the distance from 2
    >>> score_fn = sf.gem_miner(lambda params, x: jnp.sum((x @ params["kernel"] - 2) ** 2), 3.0,
    ...                         optimizer=optax.sgd(0.05), steps=20, every=5)
    >>> options = {"batch": jnp.ones((1, 1, 3)), "key": jax.random.key(0), "rounds": 1}
    >>> mask, _ = sf.prune(score_fn, params, 3.0, **options)
    >>> mask["kernel"].ravel()
    Array([False,  True, False], dtype=bool)
    """
    check_loss_fn(loss_fn)
    checked = checked_loss("gem_miner", loss_fn)
    compression = check_compression(compression)
    check_optimizer("optimizer", optimizer, "optax.sgd(0.1, momentum=0.9)")
    steps, every = check_rounds(steps, "steps"), check_rounds(every, "every")
    if steps % every:
        raise ValueError(f"steps must be a multiple of every, got steps={steps} and every={every}")
    check_selection(select)
    densities = exponential(compression, steps // every)

    def score_fn(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        minibatch, network = taken_in_turn("gem_miner", batch), frozen(params, mask)
        counts = counts_of(select, [w.shape for w in network.weights], densities)

        def step(left: Arrays, carry: Any, index: jax.Array) -> tuple[Any, jax.Array]:
            p, state = carry

            def loss_of(p: Arrays) -> jax.Array:
                rounded = [straight_through_of(own >= 0.5, own) for own in p]
                factors = [jnp.where(q, own, 0) for q, own in zip(left, rounded, strict=True)]
                return checked(network.of_factors(factors), minibatch(index))

            moved, state, loss = descended(loss_of, optimizer, p, state)
            triples = zip(left, moved, p, strict=True)
            p = [jnp.where(q, jnp.clip(new, 0, 1), old) for q, new, old in triples]
            return (p, state), loss

        def freeze(carry: Any, row: Any) -> tuple[Any, jax.Array]:
            left, survived, p, state, index = carry
            indices = index + jnp.arange(every, dtype=jnp.int32)
            (p, state), losses = lax.scan(lambda c, i: step(left, c, i), (p, state), indices)
            among = [jnp.where(q, own, -jnp.inf) for q, own in zip(left, p, strict=True)]
            left = select.keep(among, row)
            survived = [s + q.astype(s.dtype) for s, q in zip(survived, left, strict=True)]
            return (left, survived, p, state, index + every), jnp.sum(losses)

        p = drawn("gem_miner", key, network.weights, jax.random.uniform)
        start = (
            network.masks,
            [jnp.zeros_like(own) for own in p],
            p,
            optimizer.init(p),
            jnp.int32(0),
        )
        (_, survived, p, *_), losses = lax.scan(freeze, start, on_device(counts))
        scores = [
            jnp.where(m, s + own, 0) for m, s, own in zip(network.masks, survived, p, strict=True)
        ]
        return nan_unless_finite(jnp.sum(losses), network.tree_of(scores))

    return score_fn
