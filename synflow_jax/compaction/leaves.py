"""Trees of whole arrays and of those that are left of them."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from synflow_jax.compaction.whole import Left, Whole


def cut(array: Any, left: Left) -> Any:
    """What is left of an array; axes of size 1 stand for whole ones and stay."""
    where = [own if len(own) == size else np.ones(1, bool) for own, size in _pairs(array, left)]
    if all(own.all() for own in where):
        return array
    return _laid(np.asarray(array)[np.ix_(*map(np.flatnonzero, where))], array)


def filled(array: Any, left: Left) -> Any:
    """A whole array with zeros where nothing is left; axes of size 1 stay where all is left."""
    if all(own.all() for own in left):
        return array
    small = [size if own.all() else int(own.sum()) for own, size in _pairs(array, left)]
    whole = [size if own.all() else len(own) for own, size in _pairs(array, left)]
    kept = [
        np.arange(size) if own.all() else np.flatnonzero(own) for own, size in _pairs(array, left)
    ]
    host = np.zeros(whole, np.asarray(array).dtype)
    host[np.ix_(*kept)] = np.broadcast_to(np.asarray(array), small)
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


def shrunk(tree: Any, whole: Whole) -> Any:
    """What is left of the parts of a tree that are like whole params."""
    return _like_params(cut, len, tree, whole)


def expanded(tree: Any, whole: Whole) -> Any:
    """The parts of a tree that are like small params at full shape."""
    return _like_params(filled, lambda own: int(own.sum()), tree, whole)


def _like_params(
    function: Callable[[Any, Left], Any], size: Callable[[np.ndarray], int], tree: Any, whole: Whole
) -> Any:
    """``function`` applied to the leaves of all parts of a tree that have the structure of params.

    Other leaves, and scalars, stay as they are. ``size(own)`` is that of an axis of which ``own``
    is left.
    """
    found = []

    def is_part(part: Any) -> bool:
        return jax.tree.structure(part) == whole.treedef

    def apply(part: Any) -> Any:
        if not is_part(part):
            return part
        found.append(part)
        leaves = jax.tree.leaves(part)
        for index, (name, left) in enumerate(zip(whole.names, whole.lefts, strict=True)):
            shape, expected = jnp.shape(leaves[index]), tuple(map(size, left))
            if not shape:
                continue
            if len(shape) != len(expected) or any(
                a not in (1, b) for a, b in zip(shape, expected, strict=True)
            ):
                raise ValueError(
                    f"leaf '{name}' has shape {shape}, which doesn't broadcast against {expected}; "
                    "shrink takes trees like the whole params, expand those like small.params"
                )
            leaves[index] = function(leaves[index], left)
        return jax.tree.unflatten(whole.treedef, leaves)

    result = jax.tree.map(apply, tree, is_leaf=is_part)
    if not found:
        raise ValueError(
            f"no part of the tree has the structure of params, {whole.treedef}; got "
            f"{jax.tree.structure(tree)}"
        )
    return result
