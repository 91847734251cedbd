"""Convolutions whose kernel gradient is fast within a compiled loop on CPUs too.

XLA's CPU backend brings a convolution to the layout of its fast path, but not always within a
loop: there the gradient that JAX derives took a hundred times longer. Written in that layout to
begin with, it computes the same, bit for bit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
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

    def forward(images: jax.Array, kernel: jax.Array) -> tuple[jax.Array, Any]:
        return plain(images, kernel), (images, kernel)

    def backward(operands: Any, cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
        images, kernel = operands
        (of_images,) = jax.vjp(lambda images: plain(images, kernel), images)[1](cotangent)
        return of_images, _kernel_gradient(params, images, cotangent, kernel.shape)

    convolution = jax.custom_vjp(plain)
    convolution.defvjp(forward, backward)
    return convolution(images, kernel)


def _kernel_gradient(
    params: dict[str, Any], images: jax.Array, cotangent: jax.Array, shape: Sequence[int]
) -> jax.Array:
    """Each of the kernel's positions: products of the images, shifted there, and the cotangent.

    That's a convolution again, in which channels are the batch, images the features, strides
    dilate, dilation strides, and the cotangent is the kernel.
    """
    numbers = params["dimension_numbers"]
    batch, channels, *places = numbers.lhs_spec
    images = images.transpose(channels, *places, batch)
    batch, features, *places = numbers.out_spec
    cotangent = cotangent.transpose(*places, batch, features)
    outs, ins, *places = numbers.rhs_spec
    strides, dilation, spread = (
        params[name] for name in ("window_strides", "rhs_dilation", "lhs_dilation")
    )
    padding = []
    for axis, (low, _) in enumerate(params["padding"]):
        covered = (shape[places[axis]] - 1) * dilation[axis]
        covered += (cotangent.shape[axis] - 1) * strides[axis] + 1
        length = (images.shape[1 + axis] - 1) * spread[axis] + 1
        padding.append((low, covered - length - low))
    spatial = tuple(range(1, images.ndim - 1))
    last = images.ndim - 1
    image_layout = (0, last, *spatial)
    gradient = lax.conv_general_dilated(
        images,
        cotangent,
        window_strides=dilation,
        padding=padding,
        lhs_dilation=spread,
        rhs_dilation=strides,
        dimension_numbers=lax.ConvDimensionNumbers(
            image_layout, (last, last - 1, *(axis - 1 for axis in spatial)), image_layout
        ),
        precision=params["precision"],
        preferred_element_type=params["preferred_element_type"],
    )
    # From (in, *positions, out) to the kernel's own layout.
    order = (ins, *places, outs)
    return gradient.transpose([order.index(axis) for axis in range(len(order))])
