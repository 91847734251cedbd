"""What an optimizer remembers of single weights, set to 0 where they're new."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from synflow_jax.types import Mask, Params


def without_momenta(state: Any, where: Mask, params: Params) -> Any:
    """An optimizer's state that is 0 at some weights, as it is for a weight that never had one.

    Whatever in the state is like the params, leaf by leaf of their shapes and floating-point, is
    taken for momenta: Optax's traces, moments and accumulated gradients, also where
    ``optax.masked`` left some out. All else stays: counts, and moments of other shapes, such as
    Adafactor's.

    Args:
        state: a pytree.
        where: boolean arrays like params that are True at the weights; scalars for none.
        params: a pytree of arrays.

    Returns:
        The state.
    """
    structure = jax.tree.structure(params, is_leaf=_is_hole)
    shapes = [jnp.shape(leaf) for leaf in _leaves(params)]

    def is_momenta(node: Any) -> bool:
        if jax.tree.structure(node, is_leaf=_is_hole) != structure:
            return False
        pairs = zip(_leaves(node), shapes, strict=True)
        return all(_is_hole(leaf) or _is_momentum(leaf, shape) for leaf, shape in pairs)

    def reset(node: Any) -> Any:
        return jax.tree.map(_reset, node, where, is_leaf=_is_hole) if is_momenta(node) else node

    return jax.tree.map(reset, state, is_leaf=is_momenta)


def _leaves(tree: Any) -> list[Any]:
    return jax.tree.leaves(tree, is_leaf=_is_hole)


def _is_hole(node: Any) -> bool:
    """Whether it's what ``optax.masked`` leaves in place of an array."""
    return isinstance(node, optax.MaskedNode)


def _is_momentum(leaf: Any, shape: tuple[int, ...]) -> bool:
    return jnp.shape(leaf) == shape and jnp.issubdtype(jnp.result_type(leaf), jnp.floating)


def _reset(leaf: Any, where: jax.Array) -> Any:
    return leaf if _is_hole(leaf) else jnp.where(where, jnp.zeros_like(leaf), leaf)
