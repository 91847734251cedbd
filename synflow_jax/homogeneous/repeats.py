"""Arrays of which equal slices are held once.

On an input of ones a linear network's maps are equal at all positions far from the border, so what
is computed at one of them holds for all, and so does its gradient. Along each axis only distinct
slices are held, with the number of the one that each slice of the whole array equals, its origins:

    whole      2  3  3  3  3  2
    held       2  3
    origins    0  1  1  1  1  0
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Origins = tuple[tuple[int, ...] | None, ...]
"""For each axis the number of the held slice that each slice equals, or ``None`` where all slices
are held; ``()`` where they are on all axes."""


def distinct(slices: np.ndarray) -> tuple[np.ndarray, tuple[int, ...] | None]:
    """What is held of slices along the first axis.

    Returns:
        Where each distinct slice comes first, integers; and the origins along this axis, None if
        all slices differ.
    """
    seen: dict[bytes, int] = {}
    origins = tuple(seen.setdefault(each.tobytes(), len(seen)) for each in slices)
    if len(seen) == len(slices):
        return np.arange(len(slices)), None
    return _firsts(origins), origins


def _firsts(origins: tuple[int, ...]) -> np.ndarray:
    return np.unique(origins, return_index=True)[1]


def held_once(x: np.ndarray) -> tuple[np.ndarray, Origins]:
    """An array's distinct slices along each axis, and the origins of all."""
    origins = []
    for axis in range(x.ndim):
        first, origin = distinct(np.moveaxis(x, axis, 0))
        x = np.take(x, first, axis)
        origins.append(origin)
    return x, tuple(origins)


def whole(x: jax.Array, origins: Origins, axes: Sequence[int] | None = None) -> jax.Array:
    """The whole array of a held one: every slice along ``axes``, or along all axes."""
    for axis, origin in enumerate(origins):
        if origin is not None and (axes is None or axis in axes):
            x = picked(x, axis, np.array(origin))
    return x


def common(a: Origins, b: Origins) -> Origins:
    """The origins with the fewest slices in which arrays of both origins can be held."""
    return tuple(
        None if p is None or q is None else distinct(np.stack([p, q], axis=1))[1]
        for p, q in zip(a, b, strict=True)
    )


def finer(x: jax.Array, origins: Origins, wanted: Origins) -> jax.Array:
    """An array that is held in ``origins``, held in ``wanted``, which have its slices and more."""
    for axis, (origin, new) in enumerate(zip(origins, wanted, strict=True)):
        if origin is not None and origin != new:
            slices = np.arange(len(origin)) if new is None else _firsts(new)
            x = picked(x, axis, np.array(origin)[slices])
    return x


def picked(x: jax.Array, axis: int, index: np.ndarray) -> jax.Array:
    """Slices of one axis by number, 0 where that is -1."""
    rows, size = np.where(index < 0, x.shape[axis], index), x.shape[axis]

    # The gradient of a gather is a scatter, which is slow on CPUs.
    @jax.custom_vjp
    def pick(x: jax.Array) -> jax.Array:
        return jnp.take(x, rows, axis, mode="fill", fill_value=0)

    def backward(_: None, cotangent: jax.Array) -> tuple[jax.Array]:
        return (jnp.moveaxis(added_up(index, size, jnp.moveaxis(cotangent, axis, 0)), 0, axis),)

    pick.defvjp(lambda x: (pick(x), None), backward)
    return pick(x)


def added_up(index: np.ndarray, size: int, x: jax.Array) -> jax.Array:
    """Sums of those slices of ``x`` that have one number, for each number below ``size``.

    Args:
        index: the number of each slice, integers below ``size``, -1 for what is left out; their
            shape is that of the first axes of ``x``.
        size: how many sums.
        x: an array.

    Returns:
        An array of shape ``(size, *x.shape[index.ndim:])``.
    """
    ones = jnp.asarray(np.arange(size) == index.reshape(-1, 1), x.dtype)
    rows = x.reshape(index.size, -1)
    sums = lax.dot_general(ones, rows, (((0,), (0,)), ((), ())), precision=lax.Precision.HIGHEST)
    return sums.reshape(size, *x.shape[index.ndim :])
