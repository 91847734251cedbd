"""Which leaf of a file each leaf of a tree is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from synflow_jax.checks import check_params
from synflow_jax.sparse_files.layout import Leaf
from synflow_jax.sparse_files.nested import check_unique, leaf_paths, path_name
from synflow_jax.types import Params

# Of what doesn't fit, so many are told.
SHOWN = 5

Differs = Callable[[str, Leaf, Any], str | None]
"""What differs between a leaf of the file and the tree's leaf of its name, if anything does."""


def places_in(
    path: Path, leaves: Sequence[Leaf], tree: Params, *, name: str, differs: Differs, instead: str
) -> Any:
    """A tree of the structure of a named one: for each of its leaves, which of the file it is."""
    check_params(tree, name)
    paths = leaf_paths(tree)
    check_unique(name, paths)
    wanted = dict(zip(map(path_name, paths), jax.tree.leaves(tree), strict=True))
    saved = {path_name(leaf.path): i for i, leaf in enumerate(leaves)}
    in_file = {leaf_name: leaves[i] for leaf_name, i in saved.items()}
    problems = list(_differences(in_file, wanted, name, differs))
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise ValueError(
            f"'{path}' doesn't fit {name}: {'; '.join(problems[:SHOWN])}{more}. Pass params of the "
            f"network that was saved{instead}"
        )
    return jax.tree.structure(tree).unflatten([saved[leaf_name] for leaf_name in wanted])


def _differences(
    saved: Mapping[str, Leaf], wanted: Mapping[str, Any], tree_name: str, differs: Differs
) -> Iterator[str]:
    verb = "have" if tree_name == "params" else "has"
    yield from (f"the file has no leaf '{name}'" for name in wanted if name not in saved)
    yield from (f"{tree_name} {verb} no leaf '{name}'" for name in saved if name not in wanted)
    for name in (name for name in wanted if name in saved):
        if difference := differs(name, saved[name], wanted[name]):
            yield difference
