"""Operations of linear networks, drawn at random. A new one is one entry of the table."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from drawn import Draw, Operation, Shape, Step, fixed, like
from drawn_windows import WINDOWS

# Products.


def dense(draw: Draw, shape: Shape) -> Step:
    return Step([(shape[-1], draw.number(1, 4))], lambda params, x: x @ params[0])


def dense_from_the_left(draw: Draw, shape: Shape) -> Step:
    axis = draw.axis(shape)
    numbers = (((1,), (axis,)), ((), ()))
    return Step(
        [(draw.number(1, 4), shape[axis])],
        lambda params, x: lax.dot_general(params[0], x, numbers, preferred_element_type=x.dtype),
    )


def einsum(draw: Draw, shape: Shape) -> Step:
    """Any axes contracted, others shared, the rest kept; the flow on either side."""
    of_flow = "abcdef"[: len(shape)]
    summed, shared = draw.order(len(shape))[:2] if len(shape) > 1 else (0, 0)
    of_param = [of_flow[axis] for axis in dict.fromkeys((summed, shared))] + ["z"]
    of_param = [of_param[i] for i in draw.order(len(of_param))]
    result = [letter for letter in (*of_flow, "z") if letter != of_flow[summed]]
    result = "".join(result[i] for i in draw.order(len(result)))
    sizes = dict(zip(of_flow, shape, strict=True)) | {"z": draw.number(1, 3)}
    operands, param = [of_flow, "".join(of_param)], tuple(sizes[letter] for letter in of_param)
    if draw.coin():
        return Step(
            [param], lambda p, x: jnp.einsum(f"{operands[0]},{operands[1]}->{result}", x, p[0])
        )
    return Step(
        [param], lambda p, x: jnp.einsum(f"{operands[1]},{operands[0]}->{result}", p[0], x)
    )


def scale(draw: Draw, shape: Shape) -> Step:
    """By a param of the same, of a smaller or of no shape."""
    size = draw.one_of([shape, (*[1] * (len(shape) - 1), shape[-1]), (1,) * len(shape), ()])
    return Step([size], lambda params, x: x * params[0] if draw.exact else params[0] * x)


def times_constant(draw: Draw, shape: Shape) -> Step:
    factor = draw.constant(*draw.one_of([shape, tuple(1 for _ in shape), ()]))
    return fixed(lambda x: like(x, factor) * x)


def times_number(draw: Draw, shape: Shape) -> Step:
    factor = float(draw.constant())
    return fixed(lambda x: x * factor)


def divided(draw: Draw, shape: Shape) -> Step:
    divisor = draw.constant(*draw.one_of([shape, tuple(1 for _ in shape), ()]))
    return fixed(lambda x: x / like(x, divisor))


def divided_by_number(draw: Draw, shape: Shape) -> Step:
    divisor = float(draw.constant())
    return fixed(lambda x: x / divisor)


COEFFICIENTS: dict[str, tuple[str, Callable[..., jax.Array]]] = {
    # The shapes of the params, where the kernel is (i, o), and the kernel that is made of them.
    "product of matrices": ("ir ro", lambda w, v: w @ v),
    "sum": ("io io", lambda w, v: w + v),
    "twice": ("io", lambda w: 2 * w),
    "elementwise product": ("io io", lambda w, v: w * v),
    "low rank in addition": ("io ir ro", lambda w, a, b: w + 0.5 * (a @ b)),
    "transposed": ("oi", lambda w: w.T),
    "stacked": ("i i", lambda w, v: jnp.stack([w, v], axis=1)),
    "concatenated": ("io ir", lambda w, v: jnp.concatenate([w, v], axis=1)),
    "reshaped": ("roi", lambda w: w.reshape(w.shape[2], -1)),
    "summed over": ("rio", lambda w: w.sum(0)),
    "scaled": ("io", lambda w: w / 4),
    "reversed": ("io", lambda w: w[::-1]),
    "padded": ("io", lambda w: jnp.pad(w, ((0, 0), (1, 0)))),
    "sliced": ("rio", lambda w: w[0]),
    "picked": ("io", lambda w: w.take(jnp.array([0, 0]), axis=1, mode="clip")),
    "larger": ("io io", lambda w, v: jnp.maximum(w, 1.5 * v)),
    "cumulative": ("io", lambda w: jnp.cumsum(w, axis=1)),
    "masked": ("io", lambda w: jnp.where(jnp.arange(w.shape[1])[None] > 0, w, 0.5)),
    "tied": ("io", lambda w: w @ (w.T @ w)),
    "broadcast": ("i", lambda w: jnp.broadcast_to(w[:, None], (*w.shape, 2))),
}


def coefficient(draw: Draw, shape: Shape, name: str) -> Step:
    """A product with what is made of params."""
    spec, made = COEFFICIENTS[name]
    sizes = {"i": shape[-1], "o": draw.number(1, 3), "r": draw.number(1, 2)}
    shapes = [tuple(sizes[letter] for letter in word) for word in spec.split()]
    return Step(shapes, lambda params, x: x @ made(*params))


# Sums.


def residual(draw: Draw, shape: Shape) -> Step:
    return Step([(shape[-1], shape[-1])], lambda params, x: x + jax.nn.relu(x @ params[0]))


def bias(draw: Draw, shape: Shape) -> Step:
    size = draw.one_of([(*[1] * (len(shape) - 1), shape[-1]), shape])
    return Step([size], lambda params, x: x + params[0] if size == shape else params[0] + x)


def constant_bias(draw: Draw, shape: Shape) -> Step:
    value = draw.constant(*[1] * (len(shape) - 1), shape[-1])
    return fixed(lambda x: x + like(x, value))


def running_mean(draw: Draw, shape: Shape) -> Step:
    """What is subtracted is added in absolute value."""
    value = -draw.constant(*[1] * (len(shape) - 1), shape[-1])
    return fixed(lambda x: x - like(x, value))


def reduced(draw: Draw, shape: Shape, name: str) -> Step | None:
    if len(shape) < 3 or (draw.exact and name == "mean"):
        return None
    axes, kept = draw.axes(shape[1:]), draw.coin()
    apart = draw.apart(shape) if name in ("max", "min") else lambda x: x
    return fixed(
        lambda x: getattr(jnp, name)(apart(x), tuple(1 + axis for axis in axes), keepdims=kept)
    )


def cumulative(draw: Draw, shape: Shape, name: str) -> Step:
    axis, backwards = draw.axis(shape), draw.coin()
    apart = draw.apart(shape) if name != "cumsum" else lambda x: x
    return fixed(lambda x: getattr(lax, name)(apart(x), axis, reverse=backwards))


# Choices.


def larger_of_two(draw: Draw, shape: Shape, fn: Callable[..., jax.Array]) -> Step:
    axis, apart, size = draw.axis(shape), draw.apart(shape), draw.constant(*shape)
    return fixed(lambda x: fn(apart(x), like(x, size) * jnp.flip(x, axis)))


def chosen(draw: Draw, shape: Shape) -> Step:
    """By a constant, between two flows or a flow and a number."""
    which, both, value = draw.rng.random(shape) < 0.6, draw.coin(), float(draw.constant())
    return fixed(lambda x: jnp.where(which, x, jnp.flip(2 * x) if both else value))


def chosen_param(draw: Draw, shape: Shape) -> Step:
    which = draw.rng.random(shape) < 0.6
    return Step([shape], lambda params, x: jnp.where(which, params[0], x))


# Places.


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
    configuration = [(*draw.numbers(-1, 2, 2), draw.number(0, 1)) for _ in shape]
    return fixed(lambda x: lax.pad(x, like(x, 0), configuration))


def taken(draw: Draw, shape: Shape, mode: str | None) -> Step:
    axis = draw.axis(shape)
    index = draw.rng.integers(-shape[axis] if mode is None else 0, shape[axis], (draw.number(1, 4)))
    return fixed(lambda x: jnp.take(x, index, axis, mode=mode))


def taken_along(draw: Draw, shape: Shape, mode: str | None) -> Step:
    axis = draw.axis(shape)
    index = draw.rng.integers(0, shape[axis], (*shape[:axis], 2, *shape[axis + 1 :]))
    return fixed(lambda x: jnp.take_along_axis(x, index, axis, mode=mode))


def indexed(draw: Draw, shape: Shape) -> Step:
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


def reshaped(draw: Draw, shape: Shape) -> Step:
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
    return fixed(lambda x: jnp.squeeze(jnp.expand_dims(2 * jnp.expand_dims(x, axis), 0), (0, axis + 1)))


def given_channels(draw: Draw, shape: Shape) -> Step:
    return Step([(1, draw.number(1, 3))], lambda params, x: x[..., None] @ params[0])


# Functions within functions.


def scanned(draw: Draw, shape: Shape) -> Step:
    """Over stacked layers, with a kernel for all of them and one that is no param."""
    count, backwards, width = draw.number(1, 3), draw.coin(), shape[-1]
    constants = draw.constant(count, *[1] * len(shape))

    def apply(params: Any, x: jax.Array) -> jax.Array:
        def layer(x: jax.Array, each: Any) -> Any:
            x = jax.nn.relu(x @ each[0] + x @ params[1]) * each[1]
            return x, x.sum(-1, keepdims=True)

        xs = params[0], like(x, constants)
        x, sums = lax.scan(layer, x, xs, reverse=backwards)
        return x + sums.sum(0)

    return Step([(count, width, width), (width, width)], apply)


def recurrent(draw: Draw, shape: Shape) -> Step:
    """Over the flow's first axis, from a state that doesn't depend on it."""
    backwards, width = draw.coin(), shape[-1]

    def apply(params: Any, x: jax.Array) -> jax.Array:
        def step(state: jax.Array, x: jax.Array) -> Any:
            state = jax.nn.relu(x @ params[0] + state @ params[1])
            return state, state

        start = jnp.zeros((*shape[1:-1], 2), x.dtype)
        return lax.scan(step, start, x, reverse=backwards)[1]

    return Step([(width, 2), (2, 2)], apply)


def inside(draw: Draw, shape: Shape, transform: Callable[..., Any]) -> Step:
    outputs = draw.number(1, 3)
    layer = transform(lambda x, w: jax.nn.relu(x @ w) / 2)
    return Step([(shape[-1], outputs)], lambda params, x: layer(x, params[0]))


def branched(draw: Draw, shape: Shape) -> Step:
    which = draw.coin()
    return Step(
        [(shape[-1], 2), (shape[-1], 2)],
        lambda params, x: lax.cond(
            which, lambda x: x @ params[0], lambda x: 2 * (x @ params[1]), x
        ),
    )


def switched(draw: Draw, shape: Shape) -> Step:
    which = draw.number(0, 2)
    branches = [lambda x, w, k=k: x * (k + 1.0) + w for k in range(3)]
    return Step([shape], lambda params, x: lax.switch(which, branches, x, params[0]))


@jax.custom_jvp
def own_relu(x: jax.Array) -> jax.Array:
    return jnp.maximum(x, 0)


own_relu.defjvps(lambda t, _, x: jnp.where(x > 0, t, jnp.zeros_like(t)))


@jax.custom_vjp
def own_half(x: jax.Array) -> jax.Array:
    return x / 2


own_half.defvjp(lambda x: (x / 2, None), lambda _, g: (g / 2,))


# Several values through one operation.


def barrier(draw: Draw, shape: Shape) -> Step:
    """Flows of different size and a coefficient."""

    def apply(params: Any, x: jax.Array) -> jax.Array:
        a, b, c = lax.optimization_barrier((1024 * x, params[0], x))
        return (a + b) / 1024 + c * b

    return Step([shape], apply)


def put(draw: Draw, shape: Shape) -> Step:
    def apply(params: Any, x: jax.Array) -> jax.Array:
        a, b, c = jax.device_put((1024 * x, params[0], x))
        return (a + b) / 1024 + c * b

    return Step([shape], apply)


def cast(draw: Draw, shape: Shape) -> Step:
    """To float64 and back, which of float32 loses nothing."""
    factor = float(draw.constant())
    return fixed(lambda x: (x.astype(jnp.float64) * factor).astype(x.dtype))


def plain(*fns: Callable[[jax.Array], jax.Array]) -> Operation:
    return lambda draw, shape: fixed(draw.one_of(fns))


_with = functools.partial
OPERATIONS: dict[str, Operation] = {
    **WINDOWS,
    "dense": dense,
    "dense from the left": dense_from_the_left,
    "einsum": einsum,
    "scale": scale,
    "times constant": times_constant,
    "times number": times_number,
    "divided": divided,
    "divided by number": divided_by_number,
    **{f"kernel: {name}": _with(coefficient, name=name) for name in COEFFICIENTS},
    "residual": residual,
    "bias": bias,
    "constant bias": constant_bias,
    "running mean": running_mean,
    **{f"global {name}": _with(reduced, name=name) for name in ("sum", "mean", "max", "min")},
    **{name: _with(cumulative, name=name) for name in ("cumsum", "cummax", "cummin")},
    "relu": plain(jax.nn.relu, jax.nn.leaky_relu, jax.nn.elu, jax.nn.celu),
    "positive part": plain(lambda x: jnp.maximum(x, 0), lambda x: jnp.maximum(0, x)),
    "positive part of arrays": plain(
        lambda x: jnp.maximum(x, jnp.zeros_like(x)), lambda x: jnp.maximum(like(x, np.zeros(x.shape)), x)
    ),
    "unchanged": plain(
        jnp.abs,
        lambda x: lax.reduce_precision(x, 11, 52),
        lambda x: jax.ad_checkpoint.checkpoint_name(x, "kept"),
        lambda x: x**1,
    ),
    "maximum": _with(larger_of_two, fn=jnp.maximum),
    "minimum": _with(larger_of_two, fn=jnp.minimum),
    "chosen": chosen,
    "chosen param": chosen_param,
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
    "scanned": scanned,
    "recurrent": recurrent,
    "checkpoint": _with(inside, transform=jax.checkpoint),
    "jit": _with(inside, transform=jax.jit),
    "branched": branched,
    "switched": switched,
    "own derivative": plain(own_relu, own_half),
    "barrier": barrier,
    "put": put,
    "cast": cast,
}
