"""Random networks with random masks that leave dead units."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from compact_checks import Case
from drawn import Draw, Operation, Shape, Step, fixed
from drawn_operations import OPERATIONS

SHAPES = [(4,), (5, 3), (5, 6, 3), (3, 4, 3, 2)]
MOST_ELEMENTS = 800


def layer(draw: Draw, shape: Shape) -> Step:
    """A dense layer with a bias and an activation, some of whose units are dead."""
    units, act = draw.number(3, 6), draw.one_of([jax.nn.relu, jnp.tanh, jax.nn.silu, jax.nn.gelu])
    biased = draw.coin()

    def apply(params: Any, x: jax.Array) -> jax.Array:
        h = x @ params[0]
        return act(h + params[1].reshape((1,) * (h.ndim - 1) + (-1,)) if biased else h)

    return Step([(shape[-1], units), *([(units,)] if biased else [])], apply)


def normalized(draw: Draw, shape: Shape) -> Step:
    """Over the last axis, or over all others."""
    axes = -1 if draw.coin() else tuple(range(len(shape) - 1))

    def apply(params: Any, x: jax.Array) -> jax.Array:
        mean, square = x.mean(axes, keepdims=True), jnp.square(x).mean(axes, keepdims=True)
        x = (x - mean) * jax.lax.rsqrt(square - jnp.square(mean) + 0.1)
        own = (1,) * (len(shape) - 1) + (-1,)
        return x * params[0].reshape(own) + params[1].reshape(own)

    return Step([(shape[-1],), (shape[-1],)], apply)


def attention(draw: Draw, shape: Shape) -> Step | None:
    """Between the positions of the axis before the last."""
    if len(shape) < 3:
        return None
    heads, size = draw.number(1, 3), draw.number(1, 3)

    def apply(params: Any, x: jax.Array) -> jax.Array:
        q, k, v = jnp.split((x @ params[0]).reshape(*x.shape[:-1], heads, 3 * size), 3, -1)
        scores = jax.nn.softmax(jnp.einsum("...ihd,...jhd->...hij", q, k) / math.sqrt(size))
        mixed = jnp.einsum("...hij,...jhd->...ihd", scores, v)
        return x + mixed.reshape(*x.shape[:-1], -1) @ params[1]

    return Step([(shape[-1], heads * 3 * size), (heads * size, shape[-1])], apply)


def gated(draw: Draw, shape: Shape) -> Step:
    """By what is squeezed from all positions."""
    del draw

    def apply(params: Any, x: jax.Array) -> jax.Array:
        mean = x.mean(tuple(range(1, x.ndim - 1)), keepdims=True)
        return x * jax.nn.sigmoid(jax.nn.relu(mean @ params[0]) @ params[1])

    return Step([(shape[-1], 3), (3, shape[-1])], apply)


def softmax(draw: Draw, shape: Shape) -> Step:
    axis = draw.axis(shape)
    return fixed(lambda x: jax.nn.softmax(x, axis))


OWN: dict[str, Operation] = {
    "layer": layer,
    "normalized": normalized,
    "attention": attention,
    "gated": gated,
    "squared": lambda draw, shape: fixed(draw.one_of([jnp.square, jnp.abs, jnp.sin])),
    "softmax": softmax,
    "moved": lambda draw, shape: fixed(lambda x: x - 0.25),
}


def network(seed: int) -> tuple[list[str], Case]:
    """The names of a network's steps, and the network."""
    draw = Draw(np.random.default_rng(seed))
    shape = (draw.number(1, 2), *draw.one_of(SHAPES))
    names, steps = [], []
    inputs = draw.rng.normal(size=shape)
    wanted = list(OPERATIONS)[seed % len(OPERATIONS)]
    for i in range(2 * draw.number(2, 3)):
        table = {"layer": layer} if i % 2 == 0 else OPERATIONS if draw.coin() else OWN
        name, step, after = _next(draw, shape, table, wanted if i == 1 else None)
        names.append(f"{name}: {shape} -> {after}, params {list(step.shapes)}")
        steps.append(step)
        shape = after
    steps.append(Step([(shape[-1], 2)], lambda params, x: x @ params[0]))

    def apply(params: Any, x: Any) -> Any:
        for step, own in zip(steps, params, strict=True):
            x = step.apply(own, x)
        return x

    params = [[jax.device_put(_param(draw, s)) for s in step.shapes] for step in steps]
    mask = jax.tree.map(lambda leaf: jax.device_put(drawn_mask(draw, leaf.shape)), params)
    return names, Case(apply, params, mask, jax.device_put(inputs))


def _next(
    draw: Draw, shape: Shape, table: dict[str, Operation], wanted: str | None
) -> tuple[str, Step, Shape]:
    for attempt in range(100):
        name = wanted if wanted and attempt < 10 else draw.one_of(list(table))
        name = "gated" if attempt > 50 else name
        step = (OPERATIONS | OWN)[name](draw, shape)
        if step is None:
            continue
        structs = [jax.ShapeDtypeStruct(s, jnp.float64) for s in step.shapes]
        try:
            after = jax.eval_shape(step.apply, structs, jax.ShapeDtypeStruct(shape, jnp.float64))
        except ValueError:  # More is cut off than there is.
            continue
        if 2 <= len(after.shape) <= 5 and 0 < math.prod(after.shape) <= MOST_ELEMENTS:
            return name, step, after.shape
    raise ValueError(f"none of {list(table)} fits {shape}")


def _param(draw: Draw, shape: Shape) -> np.ndarray:
    if len(shape) < 2:
        return draw.one_of([np.zeros(shape), draw.rng.normal(size=shape)])
    return draw.rng.normal(size=shape)


def drawn_mask(draw: Draw, shape: Shape) -> np.ndarray:
    """At random, and without some indices of its axes."""
    if len(shape) < 2 or draw.rng.random() < 0.15:
        return np.asarray(True)
    mask = draw.rng.random(shape) < draw.one_of([0.5, 0.8, 1.0])
    for axis, size in enumerate(shape):
        if size > 2 and draw.rng.random() < 0.4:
            own = draw.rng.random(size) < 0.7
            mask = mask & own.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    if draw.rng.random() < 0.1:
        return np.asarray(mask.any(0, keepdims=True))
    return mask
