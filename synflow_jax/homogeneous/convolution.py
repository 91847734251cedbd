"""Convolutions of few images: on CPUs as one matrix product, elsewhere as they are.

XLA's CPU backend is slow at convolutions of one image, and at their gradients within a compiled
loop a hundred times slower still. A product of all windows of the image, as rows of a matrix, and
the kernel needs no more than the time to read the kernel where maps are small. Of equal windows one
is computed, on all devices.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.homogeneous.repeats import Origins, added_up, whole
from synflow_jax.homogeneous.windows import Window, moved

Params = tuple[tuple[str, Any], ...]
"""The parameters of ``lax.conv_general_dilated_p`` by name, hashable."""

Sources = tuple[tuple[tuple[int, ...], ...], ...]
"""For each axis and position the slices that the kernel's taps lie on, -1 for an empty one."""


def convolve(
    params: dict[str, Any], images: jax.Array, kernel: jax.Array, origins: Origins
) -> tuple[jax.Array, Origins]:
    """``lax.conv_general_dilated`` with the parameters of its primitive.

    Args:
        params: the parameters.
        images: in the operation's layout, of equal slices only those that ``origins`` says.
        kernel: in the operation's layout.
        origins: of the images' slices.

    Returns:
        The result, of equal slices one, and the origins of its slices.
    """
    if params["feature_group_count"] > 1 or params["batch_group_count"] > 1:
        images = whole(images, origins)
        return lax.conv_general_dilated_p.bind(images, kernel, **params), ()
    batch, features, *spatial = params["dimension_numbers"].lhs_spec
    images = whole(images, origins, axes=(batch, features))
    before = tuple(origins[axis] for axis in spatial) if origins else ()
    shape = [images.shape[axis] for axis in spatial]
    extent = [kernel.shape[axis] for axis in params["dimension_numbers"].rhs_spec[2:]]
    windows = _windows_of(params, extent)
    found, after = moved(windows, shape, before, work=kernel.size * images.shape[batch])
    sources = tuple(tuple(map(tuple, each.tolist())) for each in found)
    named = tuple(params.items())
    # Otherwise it isn't the operation on a smaller image.
    as_held = all(
        np.array_equal(each, window.sources(size))
        for each, window, size in zip(found, windows, shape, strict=True)
    )
    result = (_either if as_held else _by_product)(named, sources, images, kernel)
    if not any(after):
        return result, ()
    out_batch, out_features, *out_spatial = params["dimension_numbers"].out_spec
    by_axis = dict(zip(out_spatial, after, strict=True)) | {out_batch: None, out_features: None}
    return result, tuple(by_axis[axis] for axis in range(images.ndim))


# Jitted, as is the next, so that equal convolutions are traced and lowered once.
@partial(jax.jit, static_argnums=(0, 1))
def _either(params: Params, sources: Sources, images: jax.Array, kernel: jax.Array) -> jax.Array:
    by_product = partial(_by_product, params, sources)
    plain = partial(lax.conv_general_dilated_p.bind, **dict(params))

    # Differentiated through a choice of platform, both branches would be carried along.
    @jax.custom_vjp
    def either(images: jax.Array, kernel: jax.Array) -> jax.Array:
        return lax.platform_dependent(images, kernel, cpu=by_product, default=plain)

    def backward(operands: Any, cotangent: jax.Array) -> Any:
        def gradients(fn: Callable[..., jax.Array]) -> Callable[..., Any]:
            return lambda cotangent, *operands: jax.vjp(fn, *operands)[1](cotangent)

        cpu, default = gradients(by_product), gradients(plain)
        return lax.platform_dependent(cotangent, *operands, cpu=cpu, default=default)

    either.defvjp(lambda *operands: (either(*operands), operands), backward)
    return either(images, kernel)


def _windows_of(params: dict[str, Any], extent: Sequence[int]) -> list[Window]:
    names = ("window_strides", "padding", "lhs_dilation", "rhs_dilation")
    return [Window(*each) for each in zip(extent, *(params[name] for name in names), strict=True)]


@partial(jax.jit, static_argnums=(0, 1))
def _by_product(
    params: Params, sources: Sources, images: jax.Array, kernel: jax.Array
) -> jax.Array:
    named = dict(params)
    numbers = named["dimension_numbers"]
    batch, features, *spatial = numbers.lhs_spec
    out, into, *offsets = numbers.rhs_spec
    kernel = kernel.transpose(*offsets, into, out)
    along = [np.array(each).reshape(len(each), -1) for each in sources]
    windows = _windows(images.transpose(batch, *spatial, features), along)
    products = lax.dot_general(
        windows.reshape(-1, windows.shape[-1]),
        kernel.reshape(-1, kernel.shape[-1]),
        (((1,), (0,)), ((), ())),
        precision=named["precision"],
        preferred_element_type=named["preferred_element_type"],
    )
    products = products.reshape(*windows.shape[:-1], -1)
    batch, features, *spatial = numbers.out_spec
    order = (batch, *spatial, features)
    return products.transpose([order.index(axis) for axis in range(len(order))])


def _windows(images: jax.Array, sources: Sequence[np.ndarray]) -> jax.Array:
    """What the kernel lies on at each of its positions.

    Returns:
        An array of shape ``(batch, *positions, taps * features)``.
    """
    batch, *shape, features = images.shape
    positions = [len(each) for each in sources]
    pixels = _crossed(sources, shape)
    size, taps = math.prod(shape), pixels.shape[1]
    if taps == 1 and np.array_equal(pixels[:, 0], np.arange(size)):
        return images

    def rows(x: jax.Array, index: np.ndarray) -> jax.Array:
        # A row of 0 for what is outside: to compare each index takes a fifth longer.
        return jnp.pad(x, ((0, 0), (0, 1), (0, 0))).at[:, index].get(mode="promise_in_bounds")

    @jax.custom_vjp
    def windows(images: jax.Array) -> jax.Array:
        return rows(images.reshape(batch, size, features), pixels)

    def gathered(cotangent: jax.Array) -> jax.Array:
        inside = pixels < size
        targets = np.full((size, taps), pixels.size, np.int32)
        targets[pixels[inside], inside.nonzero()[1]] = inside.ravel().nonzero()[0]
        return jnp.sum(rows(cotangent.reshape(batch, -1, features), targets), axis=2)

    def summed(cotangent: jax.Array) -> jax.Array:
        extent = [each.shape[1] for each in sources]
        sums = jnp.moveaxis(cotangent.reshape(batch, *positions, *extent, features), 0, -2)
        for done, (source, length) in enumerate(zip(sources, shape, strict=True)):
            # The first axis of positions that's left is summed with the first of the kernel's.
            sums = jnp.moveaxis(sums, len(sources) - done, 1)
            sums = jnp.moveaxis(added_up(source, length, sums), 0, -3)
        return jnp.moveaxis(sums, -2, 0)

    once = all(_no_repeat(tap) for source in sources for tap in source.T)

    def backward(_: None, cotangent: jax.Array) -> tuple[jax.Array]:
        sums = gathered(cotangent) if once else summed(cotangent)
        return (sums.reshape(batch, *shape, features),)

    windows.defvjp(lambda images: (windows(images), None), backward)
    return windows(images).reshape(batch, *positions, taps * features)


def _no_repeat(numbers: np.ndarray) -> bool:
    inside = numbers[numbers >= 0]
    return len(set(inside.tolist())) == len(inside)


def _crossed(sources: Sequence[np.ndarray], shape: Sequence[int]) -> np.ndarray:
    """Which pixel each tap of the kernel lies on at each position; their number where it's outside.

    Returns:
        int32 of shape ``(positions, taps)``.
    """
    index, outside = np.zeros((1, 1), np.int64), np.zeros((1, 1), bool)
    for source, size in zip(sources, shape, strict=True):
        crossed = index[:, None, :, None] * size + source[None, :, None, :]
        lost = outside[:, None, :, None] | (source < 0)[None, :, None, :]
        index, outside = (x.reshape(len(index) * len(source), -1) for x in (crossed, lost))
    return np.where(outside, math.prod(shape), index).astype(np.int32)
