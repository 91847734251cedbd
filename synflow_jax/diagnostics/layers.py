"""How much a mask keeps, in all and layer by layer."""

import math
from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar, overload

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax.checks import check_mask, check_names, check_scalars, check_values, named_leaves
from synflow_jax.diagnostics.effective import By
from synflow_jax.diagnostics.effective import effective as on_paths
from synflow_jax.tables import as_html, as_text
from synflow_jax.types import ApplyFn, Mask, Params


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


class EffectiveRow(NamedTuple):
    """A `LayerRow`, and what of it paths from input to output use.

    Attributes:
        name: its path, such as ``"conv1/kernel"``.
        shape: the parameter's shape.
        size: its weights, an int.
        kept: its weights that the mask keeps, an int.
        density: kept / size, a float; 1 if it has no weights.
        effective: those of the kept weights that some path uses, an int.
        effective_density: effective / size, a float; 1 if it has no weights.
    """

    name: str
    shape: tuple[int, ...]
    size: int
    kept: int
    density: float
    effective: int
    effective_density: float


Row = TypeVar("Row", LayerRow, EffectiveRow)


@dataclass(frozen=True)
class LayerTable(Generic[Row]):
    """What a mask keeps of each prunable parameter, as text or, in notebooks, a table of HTML.

    Attributes:
        rows: one for each prunable parameter, in the order of ``jax.tree.leaves``.
    """

    rows: tuple[Row, ...]

    @property
    def size(self) -> int:
        """The number of prunable weights."""
        return sum(row.size for row in self.rows)

    @property
    def kept(self) -> int:
        """The number of prunable weights that are kept."""
        return sum(row.kept for row in self.rows)

    @property
    def effective(self) -> int | None:
        """The number of kept weights that some path uses, if the rows tell."""
        used = [row.effective for row in self.rows if isinstance(row, EffectiveRow)]
        return sum(used) if len(used) == len(self.rows) else None

    @property
    def collapsed(self) -> tuple[str, ...]:
        """Names of the layers that had weights and have none left."""
        return tuple(row.name for row in self.rows if row.size and not row.kept)

    def __str__(self) -> str:
        return as_text(self._texts(), names=2)

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return as_html(self._texts(), names=2)

    def _texts(self) -> list[list[str]]:
        used = self.effective if self.rows else None
        total = _row("total", (), self.size, self.kept, used)
        head = ["layer", *(field.replace("_", " ") for field in total._fields[1:])]
        return [head, *(_texts(row) for row in (*self.rows, total))]


@overload
def layer_table(
    mask: Mask,
    params: Params,
    *,
    apply_fn: ApplyFn | None = None,
    inputs: Any = None,
    effective: Literal[False] = False,
) -> LayerTable[LayerRow]: ...


@overload
def layer_table(
    mask: Mask,
    params: Params,
    *,
    apply_fn: ApplyFn,
    inputs: Any,
    effective: Literal[True] | By,
) -> LayerTable[EffectiveRow]: ...


def layer_table(
    mask: Mask,
    params: Params,
    *,
    apply_fn: ApplyFn | None = None,
    inputs: Any = None,
    effective: bool | By = False,
) -> LayerTable[Any]:
    """Name, shape, size, kept weights and density of every prunable parameter.

    Args:
        mask: a pytree like ``params`` of booleans that broadcast against its leaves.
        params: a pytree of arrays.
        apply_fn: ``apply_fn(params, inputs)``, the network, where effective weights are counted.
        inputs: an example for it, or its shapes.
        effective: whether to count the kept weights that some path from input to output uses, as
            `effective` finds them: by flow if ``True``, or ``"topology"``.

    Returns:
        A `LayerTable` with one row for each leaf of the mask that isn't a scalar: a `LayerRow`, or
        an `EffectiveRow` with what paths use.

    Raises:
        ValueError: mask and params don't match, the leaf is named; a leaf of the mask is scalar
            ``False``; two leaves have one name; or effective weights are asked for and ``apply_fn``
            or ``inputs`` is missing, or `effective` raises one.
        TypeError: a leaf of the mask isn't boolean, or it's traced.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"hidden": jnp.ones((1, 4)), "output": jnp.ones((4, 1))}
    >>> mask = {"hidden": jnp.ones((1, 4), bool), "output": jnp.array([[True], *[[False]] * 3])}
    >>> print(sf.layer_table(mask, params))
    layer   shape  size  kept  density
    hidden  1x4       4     4        1
    output  4x1       4     1     0.25
    total             8     5    0.625
    >>> apply_fn = lambda params, x: x @ params["hidden"] @ params["output"]
    >>> x = jnp.ones((1, 1))
    >>> print(sf.layer_table(mask, params, apply_fn=apply_fn, inputs=x, effective=True))
    layer   shape  size  kept  density  effective  effective density
    hidden  1x4       4     4        1          1               0.25
    output  4x1       4     1     0.25          1               0.25
    total             8     5    0.625          2               0.25
    """
    check_values({"mask": mask}, "weights are counted on the host: call this outside")
    check_mask(mask, params)
    check_scalars(mask)
    check_names(params)
    used = [None] * len(jax.tree.leaves(params))
    if effective:
        if apply_fn is None or inputs is None:
            raise ValueError(
                "effective weights are those on paths through the network; pass it too, as in "
                "sf.layer_table(mask, params, apply_fn=apply_fn, inputs=inputs, effective=True)"
            )
        by: By = "flow" if effective is True else effective
        used = jax.tree.leaves(on_paths(apply_fn, params, mask, inputs, by=by))
    rows = []
    for (name, param), leaf, own in zip(
        named_leaves(params), jax.tree.leaves(mask), used, strict=True
    ):
        if jnp.ndim(leaf) == 0:
            continue
        shape = jnp.shape(param)
        count = None if own is None else kept_weights(own, shape)
        rows.append(_row(name, shape, math.prod(shape), kept_weights(leaf, shape), count))
    return LayerTable(tuple(rows))


def kept_weights(leaf: Any, shape: tuple[int, ...]) -> int:
    """How many weights of a parameter a leaf of a mask keeps."""
    copies = math.prod(shape) // max(1, jnp.size(leaf))
    # On the host nothing is compiled; of several processes none has all of the leaf.
    here = getattr(leaf, "is_fully_addressable", True)
    kept = np.count_nonzero(np.asarray(leaf)) if here else jnp.sum(leaf, dtype=jnp.int32)
    return int(kept) * copies


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


def _row(
    name: str, shape: tuple[int, ...], size: int, kept: int, used: int | None
) -> LayerRow | EffectiveRow:
    row = LayerRow(name, shape, size, kept, _ratio(kept, size))
    return row if used is None else EffectiveRow(*row, used, _ratio(used, size))


def _texts(row: LayerRow | EffectiveRow) -> list[str]:
    name, shape, *numbers = row
    texts = [f"{x:.4g}" if isinstance(x, float) else f"{x:,}" for x in numbers]
    return [name, "x".join(map(str, shape)), *texts]


def _ratio(kept: int, size: int) -> float:
    return kept / size if size else 1.0
