"""NTK-SAP: how much the network's response to a change of its weights feels a connection."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from synflow_jax.checks import (
    called,
    check_callable,
    check_float_output,
    check_number,
    check_params_fn,
    check_rounds,
)
from synflow_jax.masks import apply_mask
from synflow_jax.types import ApplyFn, Mask, Params, ScoreFn, Scores


def ntk_sap(
    apply_fn: ApplyFn,
    inputs: Any,
    epsilon: float = 0.01,
    repeats: int = 5,
    *,
    initialize: Callable[[jax.Array], Params] | None = None,
) -> ScoreFn:
    """Score ``|d/dm mean ||f(x; m w) - f(x; m (w + epsilon z))||^2|`` at the mask m.

    x are standard normal inputs, w fresh weights and z standard normal, drawn anew ``repeats``
    times; the norm is over outputs, its mean over inputs and repeats. Divided by ``epsilon^2`` it
    estimates the trace of the neural tangent kernel, whose spectrum a mask should keep, for any
    initialization rather than for one (Wang et al. 2023, arXiv:2304.02840).

    Args:
        apply_fn: ``apply_fn(params, inputs) -> outputs``, the network in inference mode.
        inputs: a pytree of arrays of the shapes and types to draw, such as
            ``jnp.ones((128, 32, 32, 3))``, or a ``jax.ShapeDtypeStruct``; the numbers don't matter.
        epsilon: standard deviation of the change of the weights, positive.
        repeats: how many draws, at least 1; they are taken one after another.
        initialize: ``initialize(key) -> params``, fresh ones. By default each leaf of two
            dimensions or more is drawn from a normal of mean 0 and the mean square of its kept
            weights, which is the initialization of He et al. or Glorot et al. where it was that;
            others stay.

    Returns:
        A score function that needs a key and no batch. The scores have the params' shapes and
        dtypes and are 0 where pruned.

    Raises:
        ValueError: epsilon or repeats are out of range; when the score function is called, the key
            is None, ``apply_fn`` fails, or mask and params don't match.
        TypeError: an argument is of another kind; when the score function is called, the outputs
            aren't floating-point or a leaf of the mask isn't boolean.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> score_fn = sf.ntk_sap(lambda params, x: x @ params["kernel"], jnp.ones((1, 2)))
    >>> params = {"kernel": jnp.ones((2, 3))}
    >>> scores = score_fn(params, sf.full_mask(params), None, jax.random.key(0))
    >>> scores["kernel"].shape
    (2, 3)
    """
    check_params_fn("apply_fn", apply_fn, "params, inputs", "sf.from_nnx(model)[0]")
    epsilon = check_number("epsilon", epsilon, "a number such as 0.01")
    if not 0 < epsilon < float("inf"):
        raise ValueError(f"epsilon must be positive and finite, got epsilon={epsilon:g}")
    repeats = check_rounds(repeats, "repeats")
    if initialize is not None:
        check_callable("initialize", initialize, "key", "a function that makes params of a key")
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), inputs)

    def score_fn(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        del batch
        if key is None:
            raise ValueError("ntk_sap scores are of random draws; pass key=jax.random.key(0)")
        ones = apply_mask(mask, jax.tree.map(jnp.ones_like, params))

        def change(connections: Params, key: jax.Array) -> jax.Array:
            keys = jax.random.split(key, 3)
            x = _normal(keys[0], shapes)
            weights = initialize(keys[1]) if initialize else _fresh(keys[1], params, ones)
            moved = jax.tree.map(lambda w, z: w + epsilon * z, weights, _normal(keys[2], weights))
            both = [
                called("apply_fn", apply_fn, jax.tree.map(jnp.multiply, connections, own), x)
                for own in (weights, moved)
            ]
            check_float_output("apply_fn", both[0])
            return _squared_distance(*both)

        def add(total: Scores, key: jax.Array) -> tuple[Scores, None]:
            found = jax.grad(change)(ones, key)
            return jax.tree.map(lambda a, b: a + b / repeats, total, found), None

        zeros = jax.tree.map(jnp.zeros_like, params)
        total, _ = lax.scan(add, zeros, jax.random.split(key, repeats))
        return jax.tree.map(jnp.abs, apply_mask(mask, total))

    return score_fn


def _normal(key: jax.Array, tree: Any) -> Any:
    leaves, treedef = jax.tree.flatten(tree)
    keys = jax.random.split(key, len(leaves))
    drawn = [jax.random.normal(k, x.shape, x.dtype) for k, x in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(treedef, drawn)


def _fresh(key: jax.Array, params: Params, kept: Params) -> Params:
    """Drawn like the kept weights, which are 1 in ``kept``."""

    def leaf(old: jax.Array, new: jax.Array, ones: jax.Array) -> jax.Array:
        if old.ndim < 2:
            return old
        squares = jnp.where(ones > 0, jnp.square(old), 0)
        return new * jnp.sqrt(squares.sum() / jnp.maximum(ones.sum(), 1))

    return jax.tree.map(leaf, params, _normal(key, params), kept)


def _squared_distance(first: Any, second: Any) -> jax.Array:
    """Summed over outputs, a mean over examples."""
    pairs = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    return sum((jnp.sum(jnp.square(a - b)) / a.shape[0] for a, b in pairs), start=jnp.zeros(()))
