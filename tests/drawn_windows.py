"""Convolutions and pooling of every kind, drawn at random."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from drawn import Draw, Operation, Shape, Step, fixed
from jax import lax


def convolution(
    draw: Draw,
    shape: Shape,
    *,
    strides: int = 1,
    dilation: tuple[int, int] = (1, 1),
    padding: tuple[int, int] | None = None,
    groups: str = "",
    right: bool = False,
) -> Step | None:
    """A convolution of an array whose axes have any order, with a kernel that has any order.

    Args:
        draw: random numbers.
        shape: of the flow.
        strides: at most.
        dilation: of the left and of the right operand, at most.
        padding: least and most; by name if None.
        groups: "features", "depthwise" or "batch".
        right: whether the flow is the kernel.
    """
    places = len(shape) - 2
    if not 1 <= places <= 3:
        return None
    flow_spec, other_spec, out_spec = (draw.order(places + 2) for _ in range(3))
    first, second, *extent = (shape[axis] for axis in flow_spec)
    feature_groups = batch_groups = 1
    if right:
        # The flow's first axis is of output features, its second one of input features.
        if groups == "batch":
            batch_groups = draw.divisor(first)
        elif groups:
            feature_groups = draw.divisor(first)
        other = (batch_groups * draw.number(1, 2), second * feature_groups)
        other += tuple(size + draw.number(0, 2) for size in extent)
    else:
        if groups == "batch":
            batch_groups = draw.divisor(first)
        elif groups:
            feature_groups = second if groups == "depthwise" else draw.divisor(second)
        outputs = feature_groups * batch_groups * draw.number(1, 3 if not groups else 2)
        other = (outputs, second // feature_groups, *draw.numbers(1, 3, places))
    if groups and feature_groups * batch_groups == 1:
        return None
    options: dict[str, Any] = {
        "window_strides": draw.numbers(1, strides, places),
        "padding": draw.one_of(["SAME", "VALID"])
        if padding is None
        else [draw.numbers(*padding, 2) for _ in range(places)],
        "lhs_dilation": draw.numbers(1, dilation[0], places),
        "rhs_dilation": draw.numbers(1, dilation[1], places),
        "feature_group_count": feature_groups,
        "batch_group_count": batch_groups,
    }
    specs = (other_spec, flow_spec) if right else (flow_spec, other_spec)
    numbers = lax.ConvDimensionNumbers(*specs, out_spec)

    def apply(params: Any, x: jax.Array) -> jax.Array:
        operands = (params[0], x) if right else (x, params[0])
        return lax.conv_general_dilated(*operands, dimension_numbers=numbers, **options)

    return Step([_placed(other, other_spec)], apply)


def _placed(sizes: Shape, spec: Shape) -> Shape:
    return tuple(sizes[spec.index(axis)] for axis in range(len(spec)))


def convolved_residual(draw: Draw, shape: Shape) -> Step | None:
    places = len(shape) - 2
    if not 1 <= places <= 3:
        return None
    extent = draw.one_of([(1,) * places, draw.numbers(1, 3, places)])
    spec = (0, places + 1, *range(1, places + 1))
    numbers = lax.ConvDimensionNumbers(spec, (places + 1, places, *range(places)), spec)

    def apply(params: Any, x: jax.Array) -> jax.Array:
        return x / 2 + lax.conv_general_dilated(
            x, params[0], (1,) * places, "SAME", dimension_numbers=numbers
        )

    return Step([(*extent, shape[-1], shape[-1])], apply)


def patches(draw: Draw, shape: Shape) -> Step | None:
    if len(shape) != 4:
        return None
    extent = draw.numbers(1, 2, 2)
    return fixed(lambda x: lax.conv_general_dilated_patches(x, extent, (1, 1), "VALID"))


def transposed_by_name(draw: Draw, shape: Shape) -> Step | None:
    places = len(shape) - 2
    if not 1 <= places <= 3:
        return None
    letters = "DHW"[3 - places :]
    numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    strides, padding = draw.numbers(1, 2, places), draw.one_of(["SAME", "VALID"])
    extent = draw.numbers(1, 3, places)
    return Step(
        [(*extent, shape[-1], 2)],
        lambda params, x: lax.conv_transpose(
            x, params[0], strides, padding, dimension_numbers=numbers
        ),
    )


def windows(draw: Draw, shape: Shape, strides: int = 2) -> tuple[Shape, Shape]:
    """Extent and strides of windows, along all axes or all but the first and last."""
    extent, steps = draw.numbers(1, 3, len(shape)), draw.numbers(1, strides, len(shape))
    if draw.coin() and len(shape) > 2:
        return (1, *extent[1:-1], 1), (1, *steps[1:-1], 1)
    return extent, steps


def max_pool(draw: Draw, shape: Shape) -> Step:
    apart, (extent, strides) = draw.apart(shape), windows(draw, shape)
    padding = draw.one_of(["SAME", "VALID"])
    return fixed(lambda x: lax.reduce_window(apart(x), -jnp.inf, lax.max, extent, strides, padding))


def min_pool(draw: Draw, shape: Shape) -> Step:
    apart, (extent, strides) = draw.apart(shape), windows(draw, shape)
    # No window lies wholly in padding, where the smallest of nothing would be infinite.
    padding = [(draw.number(0, size - 1), draw.number(0, size - 1)) for size in extent]
    return fixed(lambda x: lax.reduce_window(apart(x), jnp.inf, lax.min, extent, strides, padding))


def max_pool_in_padding(draw: Draw, shape: Shape) -> Step:
    """The largest of nothing is 0 after a ReLU."""
    apart, (extent, strides) = draw.apart(shape), windows(draw, shape)
    padding = [draw.numbers(0, 3, 2) for _ in shape]

    def apply(x: jax.Array) -> jax.Array:
        return jax.nn.relu(lax.reduce_window(apart(x), -jnp.inf, lax.max, extent, strides, padding))

    return fixed(apply)


def max_pool_of_spread(draw: Draw, shape: Shape) -> Step:
    apart, (extent, strides) = draw.apart(shape), windows(draw, shape, 1)
    spread = draw.numbers(1, 2, len(shape))

    def apply(x: jax.Array) -> jax.Array:
        pooled = lax.reduce_window(
            apart(x), -jnp.inf, lax.max, extent, strides, "SAME", base_dilation=spread
        )
        return jax.nn.relu(pooled)

    return fixed(apply)


def sum_pool(draw: Draw, shape: Shape) -> Step:
    extent, strides = windows(draw, shape)
    padding = [draw.numbers(-1, 2, 2) for _ in shape]
    dilations = draw.numbers(1, 2, len(shape)), draw.numbers(1, 2, len(shape))
    return fixed(lambda x: lax.reduce_window(x, 0.0, lax.add, extent, strides, padding, *dilations))


def average_pool(draw: Draw, shape: Shape) -> Step:
    extent, strides = windows(draw, shape)
    size = 4.0 if draw.exact else float(np.prod(extent))
    return fixed(lambda x: lax.reduce_window(x, 0.0, lax.add, extent, strides, "SAME") / size)


def average_pool_of_what_is_there(draw: Draw, shape: Shape) -> Step | None:
    if draw.exact:
        return None
    extent, strides = windows(draw, shape)

    def sums(x: jax.Array) -> jax.Array:
        return lax.reduce_window(x, 0.0, lax.add, extent, strides, "SAME")

    return fixed(lambda x: sums(x) / sums(jnp.ones_like(x)))


_conv = functools.partial
WINDOWS: dict[str, Operation] = {
    "conv": convolution,
    "strided conv": _conv(convolution, strides=3),
    "padded conv": _conv(convolution, padding=(-1, 3), strides=2),
    "transposed conv": _conv(convolution, dilation=(3, 1), padding=(-1, 3)),
    "transposed conv by name": transposed_by_name,
    "dilated conv": _conv(convolution, dilation=(1, 3), padding=(-1, 3)),
    "conv of everything": _conv(
        convolution, strides=2, dilation=(2, 2), padding=(-1, 3), groups="features"
    ),
    "grouped conv": _conv(convolution, groups="features"),
    "depthwise conv": _conv(convolution, groups="depthwise", strides=2),
    "batch-grouped conv": _conv(convolution, groups="batch", padding=(0, 2)),
    "conv by the flow": _conv(convolution, right=True),
    "strided conv by the flow": _conv(
        convolution, right=True, strides=2, dilation=(2, 2), padding=(0, 3)
    ),
    "grouped conv by the flow": _conv(convolution, right=True, groups="features"),
    "batch-grouped conv by the flow": _conv(convolution, right=True, groups="batch"),
    "convolved residual": convolved_residual,
    "patches": patches,
    "max pool": max_pool,
    "max pool in padding": max_pool_in_padding,
    "max pool of spread": max_pool_of_spread,
    "min pool": min_pool,
    "sum pool": sum_pool,
    "average pool": average_pool,
    "average pool of what is there": average_pool_of_what_is_there,
}
