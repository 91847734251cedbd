"""What scores that are learned by gradient share: frozen weights under masks that are trained."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from synflow_jax.checks import check_key
from synflow_jax.losses import first_axis
from synflow_jax.masks import apply_mask, prunable_leaves
from synflow_jax.types import Mask, Params, Scores

Arrays = list[jax.Array]
"""One for each prunable leaf."""


class Frozen(NamedTuple):
    """A network whose weights stay, of which parts are tried.

    Attributes:
        masks: where each prunable leaf isn't pruned yet, boolean in its shape.
        weights: the prunable leaves.
        of_factors: ``of_factors(factors) -> params``, with each prunable leaf times its factor, and
            gradients in the factors' dtype.
        tree_of: ``tree_of(arrays) -> scores``, with zeros for what isn't prunable.
    """

    masks: Arrays
    weights: Arrays
    of_factors: Callable[[Arrays], Params]
    tree_of: Callable[[Arrays], Scores]


def frozen(params: Params, mask: Mask) -> Frozen:
    """The network as far as it isn't pruned."""
    leaves, structure = jax.tree.flatten(apply_mask(mask, params))
    prunable = prunable_leaves(mask)
    weights = [leaf for leaf, p in zip(leaves, prunable, strict=True) if p]
    own = [m for m, p in zip(jax.tree.leaves(mask), prunable, strict=True) if p]
    masks = [jnp.broadcast_to(m, w.shape) for m, w in zip(own, weights, strict=True)]

    def placed(arrays: Arrays, others: Arrays) -> Any:
        given = iter(arrays)
        return structure.unflatten(
            [next(given) if p else other for p, other in zip(prunable, others, strict=True)]
        )

    def of_factors(factors: Arrays) -> Params:
        pairs = zip(weights, factors, strict=True)
        products = [(w.astype(f.dtype) * f).astype(w.dtype) for w, f in pairs]
        return placed(products, leaves)

    def tree_of(arrays: Arrays) -> Scores:
        return placed(arrays, [jnp.zeros_like(leaf) for leaf in leaves])

    return Frozen(masks, weights, of_factors, tree_of)


def drawn(
    method: str,
    key: jax.Array | None,
    weights: Arrays,
    draw: Callable[[jax.Array, tuple[int, ...], Any], jax.Array],
) -> Arrays:
    """A first score of each weight, by ``draw(key, shape, dtype)``, in float32 at least."""
    if key is None:
        raise ValueError(f"{method} starts from random scores; pass key=jax.random.key(0)")
    check_key(key)
    keys = jax.random.split(key, max(1, len(weights)))
    return [
        draw(k, w.shape, jnp.float64 if w.dtype.itemsize == 8 else jnp.float32)
        for k, w in zip(keys, weights, strict=False)
    ]


def taken_in_turn(method: str, batch: Any) -> Callable[[jax.Array], Any]:
    """``minibatch(step)`` of a batch whose arrays have minibatches along their first axis."""
    number = first_axis(method, batch, "minibatches")
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(batch)]
    if min(map(len, shapes)) < 2:
        # Labels of one batch would be taken for minibatches of a label each.
        raise ValueError(
            f"{method} takes a batch whose arrays have minibatches along their first axis and "
            f"examples along their second; got shapes {shapes}"
        )
    arrays = jax.tree.map(jnp.asarray, batch)
    return lambda step: jax.tree.map(lambda x: x[step % number], arrays)


def descended(
    loss_of: Callable[[Arrays], jax.Array],
    optimizer: optax.GradientTransformation,
    arrays: Arrays,
    state: optax.OptState,
) -> tuple[Arrays, optax.OptState, jax.Array]:
    """The arrays after a step of an optimizer, its state, and the loss before."""
    loss, gradient = jax.value_and_grad(loss_of)(arrays)
    updates, state = optimizer.update(gradient, state, arrays)
    new: Any = optax.apply_updates(arrays, updates)
    return new, state, loss


def straight_through_of(hard: jax.Array, soft: jax.Array) -> jax.Array:
    """``hard`` in the dtype of ``soft``, with the gradient of ``soft``."""
    return jax.lax.stop_gradient(hard).astype(soft.dtype) + (soft - jax.lax.stop_gradient(soft))
