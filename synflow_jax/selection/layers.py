"""Maxima and counts of each layer, of small neighbors together: each adds loops to compile."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax.selection.joining import joined, runs
from synflow_jax.selection.reductions import count, in_rows, largest, row_counts

# Elements in a row.
_ROW = 64

Reduce = Callable[[jax.Array], jax.Array]


def largest_of_each(layers: Sequence[jax.Array]) -> jax.Array:
    """The largest element of each floating-point array, of shape ``(layers,)``; -inf of none."""

    def of_rows(rows: jax.Array) -> jax.Array:
        return jnp.max(rows, axis=1)

    return _of_each(layers, largest, of_rows, jax.ops.segment_max, -jnp.inf)


def count_of_each(layers: Sequence[jax.Array]) -> jax.Array:
    """How many elements of each boolean array are ``True``, int32 of shape ``(layers,)``."""
    return _of_each(layers, count, row_counts, jax.ops.segment_sum, False)


def _of_each(
    layers: Sequence[jax.Array],
    alone: Reduce,
    of_rows: Reduce,
    by_segment: Callable[..., jax.Array],
    nothing: float,
) -> jax.Array:
    """One number a layer: ``alone`` of a large one, ``by_segment`` of small ones' rows."""
    found = []
    for run, array in zip(runs(layers), joined(layers), strict=True):
        if len(run) == 1:
            found.append(alone(array)[None])
        else:
            rows, layer_of_row = _rows([layer.size for layer in run], array, nothing)
            by_layer = by_segment(of_rows(rows), layer_of_row, num_segments=len(run) + 1)
            found.append(by_layer[: len(run)])
    return jnp.concatenate(found)


def _rows(sizes: Sequence[int], flat: jax.Array, nothing: float) -> tuple[jax.Array, np.ndarray]:
    """Rows of a flat array's elements, and the number of the layer that has each.

    A row that several layers share is nobody's, with a number after the last. A layer's part of it
    comes in a row of its own behind the others, filled up with ``nothing``.
    """
    ends = np.cumsum(sizes)
    starts = ends - sizes
    rows = in_rows(flat, _ROW, nothing=nothing)
    begin = np.arange(len(rows)) * _ROW
    layer_of_row = np.searchsorted(ends, begin, side="right")
    shared = begin + _ROW > ends[layer_of_row]
    parts = [
        (layer, row)
        for layer, (start, end) in enumerate(zip(starts, ends, strict=True))
        for row in sorted({start // _ROW, max(end - 1, 0) // _ROW})
        if start < end and shared[row]
    ]
    layer, row = np.array(parts, int).reshape(-1, 2).T
    place = row[:, None] * _ROW + np.arange(_ROW)
    own = (place >= starts[layer, None]) & (place < ends[layer, None])
    rows = jnp.concatenate([rows, jnp.where(own, rows[row], nothing)])
    return rows, np.concatenate([np.where(shared, len(sizes), layer_of_row), layer])
