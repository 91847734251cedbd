"""Convolutions of few images: on CPUs as one matrix product, elsewhere as they are.

XLA's CPU backend is slow at convolutions of one image, and at their gradients within a compiled
loop a hundred times slower still. A product of all windows of the image, as rows of a matrix, and
the kernel needs no more than the time to read the kernel where maps are small.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def convolve(
    plain: Callable[[jax.Array, jax.Array], jax.Array],
    params: dict[str, Any],
    images: jax.Array,
    kernel: jax.Array,
) -> jax.Array:
    """``plain(images, kernel)``, a ``lax.conv_general_dilated`` with these parameters."""
    if params["feature_group_count"] > 1 or params["batch_group_count"] > 1:
        return plain(images, kernel)
    by_product = partial(_by_product, params)

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


def _by_product(params: dict[str, Any], images: jax.Array, kernel: jax.Array) -> jax.Array:
    numbers = params["dimension_numbers"]
    batch, features, *places = numbers.lhs_spec
    out, into, *offsets = numbers.rhs_spec
    kernel = kernel.transpose(*offsets, into, out)
    windows = _windows(params, images.transpose(batch, *places, features), kernel.shape[:-2])
    products = lax.dot_general(
        windows.reshape(-1, windows.shape[-1]),
        kernel.reshape(-1, kernel.shape[-1]),
        (((1,), (0,)), ((), ())),
        precision=params["precision"],
        preferred_element_type=params["preferred_element_type"],
    )
    products = products.reshape(*windows.shape[:-1], -1)
    batch, features, *places = numbers.out_spec
    order = (batch, *places, features)
    return products.transpose([order.index(axis) for axis in range(len(order))])


def _windows(params: dict[str, Any], images: jax.Array, extent: tuple[int, ...]) -> jax.Array:
    """What the kernel lies on at each place, ``(batch, *places, kernel's extent * features)``."""
    batch, *shape, features = images.shape
    sources, places = _sources(params, shape, extent)
    taps, size = sources.shape[1], math.prod(shape)
    # The other way around: where each pixel went. Each tap takes a pixel at most once.
    inside = sources < size
    targets = np.full((size, taps), sources.size, np.int32)
    targets[sources[inside], inside.nonzero()[1]] = inside.ravel().nonzero()[0]

    def rows(x: jax.Array, index: np.ndarray) -> jax.Array:
        return x.at[:, index].get(mode="fill", fill_value=0)

    @jax.custom_vjp
    def windows(images: jax.Array) -> jax.Array:
        return rows(images.reshape(batch, size, features), sources)

    def backward(_: None, cotangent: jax.Array) -> tuple[jax.Array]:
        flat = cotangent.reshape(batch, -1, features)
        return (jnp.sum(rows(flat, targets), axis=2).reshape(images.shape),)

    windows.defvjp(lambda images: (windows(images), None), backward)
    if taps == 1 and np.array_equal(sources[:, 0], np.arange(size)):
        return images
    return windows(images).reshape(batch, *places, taps * features)


def _sources(
    params: dict[str, Any], shape: Sequence[int], extent: Sequence[int]
) -> tuple[np.ndarray, list[int]]:
    """Which pixel each tap of the kernel lies on at each place, or, outside, their number.

    Returns:
        int32 of shape ``(places, taps)``, and how many places there are along each axis.
    """
    axes = []
    for axis, (size, taps) in enumerate(zip(shape, extent, strict=True)):
        stride, dilation = params["window_strides"][axis], params["rhs_dilation"][axis]
        spread, (low, high) = params["lhs_dilation"][axis], params["padding"][axis]
        room = (size - 1) * spread + 1 + low + high - (taps - 1) * dilation
        at = np.arange(0, room, stride)[:, None] + np.arange(taps) * dilation - low
        pixel = at // spread
        axes.append(np.where((at % spread == 0) & (pixel >= 0) & (pixel < size), pixel, -1))
    places = [len(axis) for axis in axes]
    index = np.zeros((1, 1), np.int64)
    outside = np.zeros((1, 1), bool)
    for axis, size in zip(axes, shape, strict=True):
        crossed = index[:, None, :, None] * size + axis[None, :, None, :]
        lost = outside[:, None, :, None] | (axis < 0)[None, :, None, :]
        index, outside = (x.reshape(len(index) * len(axis), -1) for x in (crossed, lost))
    return np.where(outside, math.prod(shape), index).astype(np.int32), places
