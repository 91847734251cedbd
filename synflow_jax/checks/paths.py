"""Leaves of a pytree under readable names."""

from typing import Any

import jax
from jax.tree_util import GetAttrKey, KeyPath


def leaf_name(path: KeyPath) -> str:
    """The name of a leaf, such as ``"blocks/0/conv1/kernel"``.

    Flax NNX holds each array in a variable's ``value``; that last step is left out.
    """
    if len(path) > 1 and isinstance(path[-1], GetAttrKey) and path[-1].name == "value":
        path = path[:-1]
    return jax.tree_util.keystr(path, simple=True, separator="/")


def named_leaves(tree: Any) -> list[tuple[str, Any]]:
    """The leaves of ``tree`` with their names, in the order of ``jax.tree.leaves``."""
    return [(leaf_name(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]
