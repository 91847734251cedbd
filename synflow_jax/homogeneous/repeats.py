"""Arrays of which equal slices are held once, or a few times.

On an input of ones a linear network's maps are equal at all positions far from the border, so what
is computed at one of them holds for all, and so does its gradient. Along each axis slices of one
kind are equal, and at least one of each kind is held:

    whole      2  3  5  5  5  5  5  5  5  3  2
    kinds      0  1  2  2  2  2  2  2  2  3  4
    places     0  1  2  2  2  2  2  2  2  3  4    held: 2  3  5  3  2
    or         0  1  2  3  3  3  3  3  4  5  6    held: 2  3  5  5  5  3  2

Each convolution adds a kind at both ends. If only one of each kind were held, all arrays would have
sizes of their own, and programs would be compiled for each. So small arrays have few sizes: as in
the last line more are held at both ends, if that is next to no work. Then many convolutions in a
row are alike, and as if of a smaller image.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# How many slices may be held at each end, with one between; so few are the sizes of arrays.
_ENDS = (3, 7, 11, 15, 23, 31)


@dataclass(frozen=True)
class Repeats:
    """Which slices of an axis are equal, and which are held.

    Attributes:
        kinds: for each slice of the whole axis the number of its kind, in order of appearance.
        places: for each slice of the whole axis the number of a held one of its kind, in order of
            appearance.
    """

    kinds: tuple[int, ...]
    places: tuple[int, ...]

    def first(self) -> np.ndarray:
        """Where in the whole axis each held slice comes first, integers."""
        return np.unique(self.places, return_index=True)[1]

    def held_kinds(self) -> np.ndarray:
        """The kind of each held slice, integers."""
        return np.array(self.kinds)[self.first()]


Origins = tuple[Repeats | None, ...]
"""For each axis its `Repeats`, or ``None`` where no slices are equal and all are held; ``()`` where
it is so on all axes."""


def repeats_of(slices: np.ndarray) -> Repeats | None:
    """Each kind of the slices along the first axis held once; None if all differ."""
    seen: dict[bytes, int] = {}
    kinds = tuple(seen.setdefault(each.tobytes(), len(seen)) for each in slices)
    return None if len(seen) == len(slices) else Repeats(kinds, kinds)


def of_few_sizes(repeats: Repeats | None) -> Repeats | None:
    """The same kinds, but more held at both ends, so that the number of slices held is one of few.

    If that is more than three quarters of the axis all are held.
    """
    size = len(repeats.kinds) if repeats else 0
    if repeats is None or max(repeats.kinds) == 0:
        return repeats
    for end in (end for end in _ENDS if 2 * end + 1 <= 3 * size / 4):
        if len(set(repeats.kinds[end : size - end])) == 1:
            middle = itertools.repeat(end, size - 2 * end)
            return Repeats(repeats.kinds, (*range(end), *middle, *range(end + 1, 2 * end + 1)))
    return Repeats(repeats.kinds, tuple(range(size)))


def held_once(x: np.ndarray) -> tuple[np.ndarray, Origins]:
    """An array's distinct slices along each axis, and the origins of all."""
    origins = []
    for axis in range(x.ndim):
        repeats = repeats_of(np.moveaxis(x, axis, 0))
        x = x if repeats is None else np.take(x, repeats.first(), axis)
        origins.append(repeats)
    return x, tuple(origins)


def whole(x: jax.Array, origins: Origins, axes: Sequence[int] | None = None) -> jax.Array:
    """The whole array of a held one: every slice along ``axes``, or along all axes."""
    for axis, repeats in enumerate(origins):
        if repeats is not None and (axes is None or axis in axes):
            x = _picked_unless_same(x, axis, np.array(repeats.places))
    return x


def common(a: Origins, b: Origins) -> Origins:
    """The origins with the fewest kinds in which arrays of both origins can be held."""
    return tuple(
        None if p is None or q is None else _common(p, q) for p, q in zip(a, b, strict=True)
    )


def _common(p: Repeats, q: Repeats) -> Repeats | None:
    both = repeats_of(np.stack([p.kinds, q.kinds], axis=1))
    return next((own for own in (p, q) if both is not None and own.kinds == both.kinds), both)


def finer(x: jax.Array, origins: Origins, wanted: Origins) -> jax.Array:
    """An array that is held in ``origins``, held in ``wanted``, of which slices differ more."""
    for axis, (repeats, new) in enumerate(zip(origins, wanted, strict=True)):
        if repeats is not None:
            places = np.array(repeats.places)
            x = _picked_unless_same(x, axis, places if new is None else places[new.first()])
    return x


def _picked_unless_same(x: jax.Array, axis: int, index: np.ndarray) -> jax.Array:
    return x if np.array_equal(index, np.arange(x.shape[axis])) else picked(x, axis, index)


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
