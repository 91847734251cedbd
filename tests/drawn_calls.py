"""Functions within functions and operations of several values, drawn at random."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from drawn import Draw, Operation, Shape, Step, fixed, like
from jax import lax

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


def of_a_transposed_function(draw: Draw, shape: Shape) -> Step:
    before = (*shape[:-1], draw.number(1, 2))

    def apply(params: Any, x: jax.Array) -> jax.Array:
        def layer(y: jax.Array) -> jax.Array:
            return y @ params[0] + y @ params[1]

        return jax.linear_transpose(layer, jax.ShapeDtypeStruct(before, x.dtype))(x)[0]

    return Step([(before[-1], shape[-1])] * 2, apply)


@jax.custom_jvp
def own_relu(x: jax.Array) -> jax.Array:
    return jnp.maximum(x, 0)


own_relu.defjvps(lambda t, _, x: jnp.where(x > 0, t, jnp.zeros_like(t)))


@jax.custom_vjp
def own_half(x: jax.Array) -> jax.Array:
    return x / 2


own_half.defvjp(lambda x: (x / 2, None), lambda _, g: (g / 2,))


# Several values through one operation.


def together(draw: Draw, shape: Shape, through: Callable[..., Any]) -> Step:
    """Flows of different size and a coefficient."""
    size = 2.0 ** draw.number(0, 40)

    def apply(params: Any, x: jax.Array) -> jax.Array:
        a, b, c = through((size * x, params[0], x))
        return (a + b) / size + c * b

    return Step([shape], apply)


def cast(draw: Draw, shape: Shape) -> Step:
    """To float64 and back, which of float32 loses nothing."""
    del shape
    factor = float(draw.constant())
    return fixed(lambda x: (x.astype(jnp.float64) * factor).astype(x.dtype))


_with = functools.partial
CALLS: dict[str, Operation] = {
    "scanned": scanned,
    "recurrent": recurrent,
    "checkpoint": _with(inside, transform=jax.checkpoint),
    "jit": _with(inside, transform=jax.jit),
    "branched": branched,
    "switched": switched,
    "transposed function": of_a_transposed_function,
    "own derivative": lambda draw, shape: fixed(draw.one_of([own_relu, own_half])),
    "barrier": _with(together, through=lax.optimization_barrier),
    "put": _with(together, through=jax.device_put),
    "cast": cast,
}
