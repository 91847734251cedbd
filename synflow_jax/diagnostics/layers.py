"""How much a mask keeps, in all and layer by layer."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from synflow_jax.checks import check_mask, check_names, check_scalars, check_values, named_leaves
from synflow_jax.types import Mask, Params


class LayerRow(NamedTuple):
    """What a mask keeps of one prunable parameter.

    Attributes:
        name: its path, such as ``"conv1/kernel"``.
        shape: the parameter's shape.
        size: its weights, an int.
        kept: its weights that the mask keeps, an int.
        density: kept / size, a float; 1 if it has no weights.
    """

    name: str
    shape: tuple[int, ...]
    size: int
    kept: int
    density: float


@dataclass(frozen=True)
class LayerTable:
    """What a mask keeps of each prunable parameter; ``str`` draws it as text.

    Attributes:
        rows: one for each prunable parameter, in the order of ``jax.tree.leaves``.
    """

    rows: tuple[LayerRow, ...]

    @property
    def size(self) -> int:
        """The number of prunable weights."""
        return sum(row.size for row in self.rows)

    @property
    def kept(self) -> int:
        """The number of prunable weights that are kept."""
        return sum(row.kept for row in self.rows)

    @property
    def collapsed(self) -> tuple[str, ...]:
        """Names of the layers that had weights and have none left."""
        return tuple(row.name for row in self.rows if row.size and not row.kept)

    def __str__(self) -> str:
        total = LayerRow("total", (), self.size, self.kept, _ratio(self.kept, self.size))
        lines = [("layer", "shape", "size", "kept", "density")]
        for row in (*self.rows, total):
            shape = "x".join(map(str, row.shape))
            lines.append((row.name, shape, f"{row.size:,}", f"{row.kept:,}", f"{row.density:.4g}"))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            f"{name:<{widths[0]}}  {shape:<{widths[1]}}  "
            f"{size:>{widths[2]}}  {kept:>{widths[3]}}  {share:>{widths[4]}}"
            for name, shape, size, kept, share in lines
        )


def layer_table(mask: Mask, params: Params) -> LayerTable:
    """Name, shape, size, kept weights and density of every prunable parameter.

    Args:
        mask: a pytree like ``params`` of booleans that broadcast against its leaves.
        params: a pytree of arrays.

    Returns:
        A `LayerTable` with one row for each leaf of the mask that isn't a scalar.

    Raises:
        ValueError: mask and params don't match, the leaf is named; a leaf of the mask is scalar
            ``False``; or two leaves have one name.
        TypeError: a leaf of the mask isn't boolean, or it's traced.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> mask = {"dense": {"kernel": jnp.array([[True, False, False, False]])}}
    >>> print(sf.layer_table(mask, {"dense": {"kernel": jnp.ones((1, 4))}}))
    layer         shape  size  kept  density
    dense/kernel  1x4       4     1     0.25
    total                   4     1     0.25
    """
    check_values({"mask": mask}, "weights are counted on the host: call this outside")
    check_mask(mask, params)
    check_scalars(mask)
    check_names(params)
    rows = []
    for (name, param), leaf in zip(named_leaves(params), jax.tree.leaves(mask), strict=True):
        if jnp.ndim(leaf) == 0:
            continue
        shape = jnp.shape(param)
        size, kept = math.prod(shape), kept_weights(leaf, shape)
        rows.append(LayerRow(name, shape, size, kept, _ratio(kept, size)))
    return LayerTable(tuple(rows))


def kept_weights(leaf: Any, shape: tuple[int, ...]) -> int:
    """How many weights of a parameter a leaf of a mask keeps."""
    copies = math.prod(shape) // max(1, jnp.size(leaf))
    return int(jnp.sum(leaf, dtype=jnp.int32)) * copies


def density(mask: Mask, params: Params) -> float:
    """Weights kept / weights, over all prunable parameters together: 1 / compression.

    Args:
        mask: a pytree like ``params`` of booleans that broadcast against its leaves.
        params: a pytree of arrays.

    Returns:
        A float in [0, 1]; 1 if nothing is prunable.

    Raises:
        ValueError: mask and params don't match, the leaf is named; a leaf of the mask is scalar
            ``False``; or two leaves have one name.
        TypeError: a leaf of the mask isn't boolean, or it's traced.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> sf.density({"kernel": jnp.array([[True, False]])}, {"kernel": jnp.ones((1, 2))})
    0.5
    """
    table = layer_table(mask, params)
    return _ratio(table.kept, table.size)


def _ratio(kept: int, size: int) -> float:
    return kept / size if size else 1.0
