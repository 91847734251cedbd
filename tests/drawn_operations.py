"""Operations of linear networks, drawn at random.

Each is a function of random numbers and of the flow's shape. A new one is one entry of a table.
"""

import functools
import operator
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from drawn import Draw, Operation, Shape, Step, fixed, like
from drawn_calls import CALLS
from drawn_places import PLACES
from drawn_windows import WINDOWS
from jax import lax
from jax.ad_checkpoint import checkpoint_name

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
    return Step([param], lambda p, x: jnp.einsum(f"{operands[1]},{operands[0]}->{result}", p[0], x))


def scale(draw: Draw, shape: Shape) -> Step:
    """By a param of the same, of a smaller or of no shape."""
    size = draw.one_of([shape, (*[1] * (len(shape) - 1), shape[-1]), (1,) * len(shape), ()])
    return Step([size], lambda params, x: x * params[0] if draw.exact else params[0] * x)


def times_constant(draw: Draw, shape: Shape) -> Step:
    factor = draw.constant(*draw.one_of([shape, tuple(1 for _ in shape), ()]))
    return fixed(lambda x: like(x, factor) * x)


def by_number(draw: Draw, shape: Shape, fn: Callable[..., jax.Array]) -> Step:
    del shape
    number = float(draw.constant())
    return fixed(lambda x: fn(x, number))


def divided(draw: Draw, shape: Shape) -> Step:
    divisor = draw.constant(*draw.one_of([shape, tuple(1 for _ in shape), ()]))
    return fixed(lambda x: x / like(x, divisor))


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
    "smaller": ("io io", lambda w, v: jnp.minimum(w, 1.5 * v)),
    "minus negative": ("io io", lambda w, v: w - -v),
    "power": ("io io", lambda w, v: w**3 + jnp.square(v)),
    "times root": ("io", lambda w: w * jnp.sqrt(like(w, 4))),
    "held back": ("io io", lambda w, v: jnp.add(*lax.optimization_barrier((w, v)))),
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
    factor = float(draw.constant())
    return Step([(shape[-1], shape[-1])], lambda params, x: factor * x + jax.nn.relu(x @ params[0]))


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


def plain(*fns: Callable[[jax.Array], jax.Array]) -> Operation:
    return lambda draw, shape: fixed(draw.one_of(fns))


def unchanged(x: jax.Array) -> jax.Array:
    """All that leaves what is nonnegative as it is."""
    x = checkpoint_name(lax.reduce_precision(jnp.abs(x), 11, 52), "kept")
    return jnp.copy(lax.pow(lax.integer_pow(x, 1), like(x, 1)))


_with = functools.partial
OPERATIONS: dict[str, Operation] = {
    **WINDOWS,
    "dense": dense,
    "dense from the left": dense_from_the_left,
    "einsum": einsum,
    "scale": scale,
    "times constant": times_constant,
    "times number": _with(by_number, fn=operator.mul),
    "divided": divided,
    "divided by number": _with(by_number, fn=operator.truediv),
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
        lambda x: jnp.maximum(x, jnp.zeros_like(x)),
        lambda x: jnp.maximum(like(x, np.zeros(x.shape)), x),
    ),
    "unchanged": plain(unchanged),
    "maximum": _with(larger_of_two, fn=jnp.maximum),
    "minimum": _with(larger_of_two, fn=jnp.minimum),
    "chosen": chosen,
    "chosen param": chosen_param,
    **PLACES,
    **CALLS,
}
# Those that leave equal slices held once, or may.
HOLDING_ONCE = {
    name: OPERATIONS[name]
    for name in (
        *WINDOWS,
        *("bias", "constant bias", "scale", "times constant", "times number", "divided by number"),
        *("relu", "positive part", "unchanged", "barrier", "maximum"),
    )
}
