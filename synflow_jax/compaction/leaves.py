"""Trees of whole arrays and of those that are left of them."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from synflow_jax.compaction.whole import Left, Whole


def cut(array: Any, left: Left) -> Any:
    """What is left of an array; axes of size 1 that stand for a whole axis stay."""
    where = [
        own if own.shape[0] == size else np.ones(size, bool) for own, size in _pairs(array, left)
    ]
    if all(own.all() for own in where):
        return array
    return _laid(np.asarray(array)[np.ix_(*map(np.flatnonzero, where))], array)


def filled(array: Any, left: Left) -> Any:
    """A whole array with zeros where nothing is left."""
    where = [own if own.sum() == size else np.ones(size, bool) for own, size in _pairs(array, left)]
    if all(own.all() for own in where):
        return array
    host = np.zeros([len(own) for own in where], np.asarray(array).dtype)
    host[np.ix_(*map(np.flatnonzero, where))] = np.asarray(array)
    return _laid(host, array)


def _pairs(array: Any, left: Left) -> list[tuple[np.ndarray, int]]:
    return list(zip(left, np.shape(array), strict=True))


def _laid(host: np.ndarray, like: Any) -> Any:
    """An array where ``like`` lies."""
    if not isinstance(like, jax.Array):
        return host
    return jax.device_put(host, _sharding_of(like, host.shape) if like.committed else None)


def _sharding_of(array: jax.Array, shape: Sequence[int]) -> Any:
    """How an array lies, for one of another shape: replicated where the sizes don't divide."""
    sharding = array.sharding
    if not isinstance(sharding, NamedSharding):
        return sharding
    try:
        sharding.shard_shape(tuple(shape))
    except ValueError:
        return NamedSharding(sharding.mesh, PartitionSpec())
    return sharding


def like_params(function: Callable[[Any, Left], Any], tree: Any, whole: Whole) -> Any:
    """``function`` applied to the leaves of all parts of a tree that have the structure of params.

    Other leaves, and scalars, stay as they are.
    """
    found = []

    def is_part(part: Any) -> bool:
        return jax.tree.structure(part) == whole.treedef

    def apply(part: Any) -> Any:
        if not is_part(part):
            return part
        found.append(part)
        leaves = [
            function(leaf, left) if jnp.ndim(leaf) == len(left) else leaf
            for leaf, left in zip(jax.tree.leaves(part), whole.lefts, strict=True)
        ]
        return jax.tree.unflatten(whole.treedef, leaves)

    result = jax.tree.map(apply, tree, is_leaf=is_part)
    if not found:
        raise ValueError(
            f"no part of the tree has the structure of params, {whole.treedef}; got "
            f"{jax.tree.structure(tree)}"
        )
    return result
