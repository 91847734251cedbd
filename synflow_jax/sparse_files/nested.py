"""Any pytree as nested dicts and lists, by the paths of its leaves."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from jax.tree_util import GetAttrKey, KeyPath, SequenceKey

Step = str | int | tuple[int]
"""A dict's key or an attribute's name; in a tuple, a place in a list."""

LeafPath = tuple[Step, ...]


def leaf_paths(tree: Any) -> list[LeafPath]:
    """The path of each leaf, in the order of ``jax.tree.leaves``.

    Flax NNX holds each array in a variable's ``value``; that last step is left out.

    >>> leaf_paths({"layers": [0.0, {"bias": 1.0}]})
    [('layers', (0,)), ('layers', (1,), 'bias')]
    """
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(tree)]
    below = Counter(path[:length] for path in paths for length in range(len(path)))
    return [tuple(map(_step, _without_value(path, below))) for path in paths]


def _without_value(path: KeyPath, below: Mapping[KeyPath, int]) -> KeyPath:
    """A variable has no other leaf; an object with one, such as key and value, isn't a variable."""
    if len(path) < 2 or below[path[:-1]] > 1:
        return path
    return path[:-1] if path[-1] == GetAttrKey("value") else path


def _step(key: Any) -> Step:
    if isinstance(key, SequenceKey):
        return (key.idx,)
    # A dict of ints, as in the state of Flax NNX, stays one.
    inner = getattr(key, "key", None)
    return inner if type(inner) is int else jax.tree_util.keystr((key,), simple=True)


def path_name(path: LeafPath) -> str:
    """The name of a leaf.

    >>> path_name(("blocks", (0,), "kernel"))
    'blocks/0/kernel'
    """
    return "/".join(str(step[0] if isinstance(step, tuple) else step) for step in path)


def check_unique(tree_name: str, paths: Sequence[LeafPath]) -> None:
    """No two leaves of a named tree have one name."""
    name, times = Counter(map(path_name, paths)).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{tree_name} has {times} leaves named '{name}'; rename all but one")


def nested(values: Mapping[LeafPath, Any]) -> Any:
    """Values by path as nested dicts and lists; a list has ``None`` where no path leads.

    >>> nested({("layers", (0,)): 0.0, ("layers", (2,), "bias"): 1.0})
    {'layers': [0.0, None, {'bias': 1.0}]}
    """
    if () in values:
        return values[()]
    below: dict[Step, dict[LeafPath, Any]] = {}
    for path, value in values.items():
        below.setdefault(path[0], {})[path[1:]] = value
    children = {step: nested(rest) for step, rest in below.items()}
    places = [step[0] for step in children if isinstance(step, tuple)]
    return [children.get((i,)) for i in range(max(places) + 1)] if places else children
