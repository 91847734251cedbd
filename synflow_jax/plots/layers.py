"""The density of each layer."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax

from synflow_jax.diagnostics import LayerTable, layer_table
from synflow_jax.plots.axes import Empty, axes_of, finish
from synflow_jax.types import Mask, Params

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# So many names stand beside each other at most.
NAMES = 40


def plot_layers(
    mask: Mask | Mapping[str, Mask],
    params: Params,
    *,
    order: Sequence[int] | None = None,
    ax: Any = None,
) -> "Axes":
    """Draw what a mask keeps of each layer: its density, logarithmic, from layer to layer.

    A dashed line is the density of all layers together. A layer that has nothing left has a cross
    in a band at the bottom.

    Args:
        mask: a pytree like ``params`` of booleans that broadcast against its leaves, as from
            `prune`; or a dict of several by names, drawn in one picture.
        params: a pytree of arrays, or their shapes as ``jax.ShapeDtypeStruct``.
        order: the prunable layers' places in the picture, as from `layer_order`. By default the
            order of ``jax.tree.leaves``.
        ax: matplotlib's ``Axes`` to draw on; by default those of a new figure.

    Returns:
        The ``Axes``. ``ax.figure.savefig("layers.png")`` writes the picture.

    Raises:
        ValueError: mask and params don't match, nothing is prunable, or ``order`` isn't one of the
            layers; or what `layer_table` raises.
        TypeError: a leaf of a mask isn't boolean or is traced, or ``ax`` isn't an ``Axes``.
        ImportError: the package matplotlib isn't installed: ``pip install synflow_jax[plot]``.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"hidden": jnp.ones((4, 4)), "output": jnp.ones((4, 1))}
    >>> mask, _ = sf.prune(sf.magnitude(), params, 10.0, rounds=1)
    >>> ax = sf.plot_layers(mask, params)
    >>> ax.figure.savefig("layers.png")  # doctest: +SKIP
    """
    tables = {name: layer_table(each, params) for name, each in _named(mask, params).items()}
    names = _in_order([row.name for row in _longest(tables).rows], order)
    ax = axes_of(ax, width=min(14.0, max(4.8, 2.0 + 0.24 * len(names))))
    empties = [_draw(ax, names, table, label) for label, table in tables.items()]
    _label(ax, names)
    finish(ax, [each for each in empties if each.places], {"all layers": "--"})
    return ax


def _named(mask: Any, params: Params) -> Mapping[str, Mask]:
    """Masks by name; a single one has none."""
    single = jax.tree.structure(mask) == jax.tree.structure(params)
    several = isinstance(mask, Mapping) and mask and all(isinstance(name, str) for name in mask)
    return {"": mask} if single or not several else mask


def _longest(tables: Mapping[str, LayerTable[Any]]) -> LayerTable[Any]:
    """The table of the mask that prunes most layers."""
    return max(tables.values(), key=lambda table: len(table.rows))


def _in_order(names: Sequence[str], order: Sequence[int] | None) -> list[str]:
    if not names:
        raise ValueError("nothing is prunable: all leaves of mask are scalars; there is no layer")
    order = range(len(names)) if order is None else list(order)
    if sorted(order) != list(range(len(names))):
        raise ValueError(
            f"order must have each of 0 to {len(names) - 1} once, got order={list(order)}; pass "
            "sf.layer_order(apply_fn, params, inputs)"
        )
    return [names[place] for place in order]


def _draw(ax: "Axes", names: Sequence[str], table: LayerTable[Any], label: str) -> Empty:
    densities = {row.name: row.density for row in table.rows}
    heights = [densities.get(name, 0.0) or math.nan for name in names]
    size = 4 if len(names) <= NAMES else 2.5
    (curve,) = ax.plot(heights, linewidth=1, marker="o", markersize=size, label=label or None)
    color = curve.get_color()
    if table.kept:
        ax.axhline(table.kept / table.size, color=color, linestyle="--", linewidth=0.8, alpha=0.7)
    collapsed = set(table.collapsed)
    return Empty([place for place, name in enumerate(names) if name in collapsed], color)


def _label(ax: "Axes", names: Sequence[str]) -> None:
    every = -(-len(names) // NAMES)
    short = _without_common_end(names)[::every]
    ax.set_xticks(range(0, len(names), every), short, rotation=90, fontsize="x-small")
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.set_ylabel("density")


def _without_common_end(names: Sequence[str]) -> Sequence[str]:
    """Names such as ``conv1/kernel`` without the last step if that's the same of all."""
    starts, ends = zip(*(name.rpartition("/")[::2] for name in names), strict=True)
    return starts if all(starts) and len(set(ends)) == 1 else names
