"""Operations that move, pick and replace elements, drawn at random."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from drawn import Draw, Operation, Shape, Step, fixed, like
from jax import lax


def joined(draw: Draw, shape: Shape) -> Step:
    axis = draw.axis(shape)
    return Step([shape], lambda params, x: jnp.concatenate([x, params[0], 0.25 * x], axis))


def stacked(draw: Draw, shape: Shape) -> Step:
    axis = draw.axis(shape)
    return fixed(lambda x: jnp.stack([x, 2 * x], axis))


def split(draw: Draw, shape: Shape) -> Step:
    axis = draw.axis(shape)
    at = [draw.number(0, shape[axis])]
    return fixed(lambda x: jnp.concatenate(jnp.split(x, at, axis)[::-1], axis))


def sliced(draw: Draw, shape: Shape) -> Step:
    parts = [slice(draw.number(0, (size - 1) // 2), None, draw.number(1, 2)) for size in shape]
    return fixed(lambda x: x[tuple(parts)])


def reversed_axes(draw: Draw, shape: Shape) -> Step:
    axes = draw.axes(shape)
    return fixed(lambda x: jnp.flip(x, axes))


def padded(draw: Draw, shape: Shape) -> Step:
    # What is cut off from an axis leaves something of it.
    configuration = [
        (*draw.numbers(-1 if size > 2 else 0, 2, 2), draw.number(0, 1)) for size in shape
    ]
    return fixed(lambda x: lax.pad(x, like(x, 0), configuration))


def taken(draw: Draw, shape: Shape, mode: str | None) -> Step:
    axis = draw.axis(shape)
    index = draw.rng.integers(-shape[axis] if mode is None else 0, shape[axis], (draw.number(1, 4)))
    return fixed(lambda x: jnp.take(x, index, axis, mode=mode))


def taken_along(draw: Draw, shape: Shape, mode: str | None) -> Step:
    axis = draw.axis(shape)
    index = draw.rng.integers(0, shape[axis], (*shape[:axis], 2, *shape[axis + 1 :]))
    return fixed(lambda x: jnp.take_along_axis(x, index, axis, mode=mode))


def indexed(draw: Draw, shape: Shape) -> Step | None:
    """By arrays along two axes at once; outside of the array, 0."""
    if len(shape) < 3:
        return None
    first, second = (draw.rng.integers(0, size + 1, (3,)) for size in shape[1:3])
    return fixed(lambda x: x.at[:, first, second].get(mode="fill", fill_value=0))


def starts(draw: Draw, shape: Shape) -> tuple[Shape, Shape]:
    """Where a block of an array starts, and its size."""
    sizes = tuple(draw.number(1, size) for size in shape)
    return tuple(draw.number(0, n - m) for n, m in zip(shape, sizes, strict=True)), sizes


def dynamically_sliced(draw: Draw, shape: Shape) -> Step:
    start, size = starts(draw, shape)
    return fixed(lambda x: lax.dynamic_slice(x, start, size))


def dynamically_updated(draw: Draw, shape: Shape) -> Step:
    """A part replaced by a flow, a param or a constant, or a constant's by a flow."""
    start, size = starts(draw, shape)
    kind, value = draw.number(0, 3), draw.constant(*size)
    part = tuple(slice(n) for n in size)

    def apply(params: Any, x: jax.Array) -> jax.Array:
        operand = jnp.zeros_like(x) if kind == 3 else x
        update = [like(x, value), 2 * x[part], params[0], x[part]][kind]
        return lax.dynamic_update_slice(operand, update, start)

    return Step([size], apply)


def scattered(draw: Draw, shape: Shape, *, add: bool) -> Step:
    """Rows replaced by, or added to, by a flow, a param or a number."""
    axis, kind = draw.axis(shape), draw.number(0, 2)
    at = draw.order(shape[axis])[: draw.number(1, shape[axis])]
    if add:
        at += at[:1]
    index = (slice(None),) * axis + (np.array(at),)
    rows = (*shape[:axis], len(at), *shape[axis + 1 :])

    def apply(params: Any, x: jax.Array) -> jax.Array:
        new = [2 * x[index], params[0], like(x, 0.5)][kind]
        return x.at[index].add(new) if add else x.at[index].set(new)

    return Step([rows], apply)


def broadcast(draw: Draw, shape: Shape) -> Step:
    count = draw.number(1, 2)
    return fixed(lambda x: jnp.broadcast_to(x[:, None], (shape[0], count, *shape[1:])))


def reshaped(draw: Draw, shape: Shape) -> Step | None:
    axis = draw.number(0, len(shape) - 2)
    merged = (*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :])
    if len(merged) < 2:
        return None
    return fixed(lambda x: x.reshape(merged))


def divided_axis(draw: Draw, shape: Shape) -> Step:
    divisor = draw.divisor(shape[-1])
    return fixed(lambda x: x.reshape(*shape[:-1], divisor, -1))


def transposed(draw: Draw, shape: Shape) -> Step:
    order = draw.order(len(shape))
    return fixed(lambda x: x.transpose(order))


def tiled(draw: Draw, shape: Shape) -> Step:
    times = draw.numbers(1, 2, len(shape))
    return fixed(lambda x: jnp.tile(x, times))


def repeated(draw: Draw, shape: Shape) -> Step:
    axis = draw.axis(shape)
    return fixed(lambda x: jnp.repeat(x, 2, axis))


def squeezed(draw: Draw, shape: Shape) -> Step:
    axis = draw.axis(shape)
    return fixed(
        lambda x: jnp.squeeze(jnp.expand_dims(2 * jnp.expand_dims(x, axis), 0), (0, axis + 1))
    )


def given_channels(draw: Draw, shape: Shape) -> Step:
    """As the weights of one feature."""
    axis = draw.number(1, len(shape))
    return Step(
        [(1, draw.number(1, 3))], lambda p, x: jnp.expand_dims(x, axis).swapaxes(axis, -1) @ p[0]
    )


_with = functools.partial
PLACES: dict[str, Operation] = {
    "joined": joined,
    "stacked": stacked,
    "split": split,
    "sliced": sliced,
    "reversed": reversed_axes,
    "padded": padded,
    "taken": _with(taken, mode=None),
    "taken within": _with(taken, mode="clip"),
    "taken along": _with(taken_along, mode=None),
    "taken along within": _with(taken_along, mode="clip"),
    "indexed": indexed,
    "dynamically sliced": dynamically_sliced,
    "dynamically updated": dynamically_updated,
    "scattered": _with(scattered, add=False),
    "scattered and added": _with(scattered, add=True),
    "broadcast": broadcast,
    "reshaped": reshaped,
    "divided axis": divided_axis,
    "transposed": transposed,
    "tiled": tiled,
    "repeated": repeated,
    "squeezed": squeezed,
    "given channels": given_channels,
}
