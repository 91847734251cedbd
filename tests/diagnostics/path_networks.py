"""Small networks twice: as functions of params, and as graphs that are searched."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from path_graphs import Graph, Nodes

IMAGE = (6, 5, 3)
MAXIMUM = (lax.max, -jnp.inf)


def conv(params: Any, name: str, x: jax.Array, *, stride: int = 1, groups: int = 1) -> jax.Array:
    return lax.conv_general_dilated(
        x,
        params[name],
        (stride, stride),
        ((1, 1), (1, 1)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def pooled(x: jax.Array, window: int, how: Any = MAXIMUM) -> jax.Array:
    fn, start = how
    return lax.reduce_window(x, start, fn, *[(1, window, window, 1)] * 2, "VALID")


def plain(params: Any, x: jax.Array) -> jax.Array:
    """Maximum pooling, strides, and a dense layer of all positions."""
    x = pooled(jax.nn.relu(conv(params, "a", x)), 2)
    x = jax.nn.relu(conv(params, "b", x, stride=2) + params["bias"].reshape(1, 1, 1, -1))
    return x.reshape(len(x), -1) @ params["c"]


def plain_graph(graph: Graph, x: Nodes) -> Nodes:
    x = graph.pool(graph.conv(x, "a"), 2)
    return graph.dense(graph.conv(x, "b", stride=2).reshape(-1), "c")


def residual(params: Any, x: jax.Array) -> jax.Array:
    """What a block alone reads, and later blocks don't, leads to no output for what comes after."""
    x = conv(params, "a", x) * params["scale"].reshape(1, 1, 1, -1)
    for one, two in (("b", "c"), ("d", "e")):
        x = jax.nn.gelu(x + conv(params, two, jax.nn.gelu(conv(params, one, x))))
    return jnp.mean(x, (1, 2)) @ params["f"]


def residual_graph(graph: Graph, x: Nodes) -> Nodes:
    x = graph.conv(x, "a")
    for one, two in (("b", "c"), ("d", "e")):
        x = graph.add(x, graph.conv(graph.conv(x, one), two))
    return graph.dense(graph.mean(x), "f")


def grouped(params: Any, x: jax.Array) -> jax.Array:
    """Groups of channels, each channel by itself, and both pooled and side by side."""
    x = jax.nn.relu(conv(params, "a", x))
    one = jax.nn.relu(conv(params, "b", x, groups=2))
    two = jax.nn.relu(conv(params, "c", x, groups=4))
    both = jnp.concatenate([pooled(one, 3, (lax.add, 0.0)), pooled(two, 3)], axis=-1)
    return both.reshape(len(x), -1) @ params["d"]


def grouped_graph(graph: Graph, x: Nodes) -> Nodes:
    x = graph.conv(x, "a")
    one, two = graph.conv(x, "b", groups=2), graph.conv(x, "c", groups=4)
    both = np.concatenate([graph.pool(one, 3), graph.pool(two, 3)], axis=-1)
    return graph.dense(both.reshape(-1), "d")


class Case(NamedTuple):
    """A network twice, its prunable layers, the other params and the density of its masks."""

    apply_fn: Callable[..., jax.Array]
    graph: Callable[[Graph, Nodes], Nodes]
    shapes: dict[str, tuple[int, ...]]
    others: dict[str, tuple[int, ...]]
    density: float


CASES = {
    "plain": Case(
        plain,
        plain_graph,
        {"a": (3, 3, 3, 4), "b": (3, 3, 4, 5), "c": (10, 2)},
        {"bias": (5,)},
        0.1,
    ),
    "residual": Case(
        residual,
        residual_graph,
        {**dict.fromkeys("bcde", (3, 3, 4, 4)), "a": (3, 3, 3, 4), "f": (4, 2)},
        {"scale": (4,)},
        0.06,
    ),
    "grouped": Case(
        grouped,
        grouped_graph,
        {"a": (3, 3, 3, 4), "b": (3, 3, 2, 6), "c": (3, 3, 1, 4), "d": (20, 2)},
        {},
        0.12,
    ),
}
