"""Small dense networks of many kinds: each draws its params and inputs in float64."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from compact_checks import Case
from drawn import Draw
from drawn_compact import drawn_mask
from jax import lax

import synflow_jax as sf

relu = jax.nn.relu


class Numbers:
    """Draws arrays."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> jax.Array:
        return jax.device_put(self.rng.normal(size=shape))


Network = Callable[[Numbers], tuple[Any, Any, Any]]
"""``network(numbers) -> apply_fn, params, inputs``."""


def masked(network: Network, seed: int) -> tuple[Case, sf.Compact]:
    """A network with a random mask that leaves some units dead, and what is left of it."""
    apply_fn, params, inputs = network(Numbers(seed))
    draw = Draw(np.random.default_rng(seed))
    while True:
        mask = jax.tree.map(lambda leaf: jax.device_put(drawn_mask(draw, leaf.shape)), params)
        case = Case(apply_fn, params, mask, inputs)
        try:
            return case, sf.compact(*case)
        except ValueError as error:
            if "no path" not in str(error) and "don't depend" not in str(error):
                raise


def along_last(vector: jax.Array, rank: int) -> jax.Array:
    return vector.reshape((1,) * (rank - 1) + (-1,))


# Dense networks.


def mlp(act: Callable[..., Any], bias: float | None = None) -> Network:
    def network(n: Numbers) -> Any:
        sizes = (5, 8, 7, 3)
        params = [{"w": n(i, o)} for i, o in pairwise(sizes)]
        if bias is not None:
            for layer in params:
                layer["b"] = bias + 0.1 * n(layer["w"].shape[1])

        def apply_fn(params: Any, x: Any) -> Any:
            for i, layer in enumerate(params):
                x = x if i == 0 else act(x)
                x = x @ layer["w"]
                x = x + along_last(layer["b"], 2) if "b" in layer else x
            return x

        return apply_fn, params, n(4, 5)

    return network


def gated(n: Numbers) -> Any:
    """GLU, in halves of one product, and SwiGLU in two."""
    params = {"a": n(5, 12), "u": n(6, 7), "v": n(6, 7), "o": n(7, 3)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = jax.nn.glu(x @ params["a"])
        return (jax.nn.silu(x @ params["u"]) * (x @ params["v"])) @ params["o"]

    return apply_fn, params, n(4, 5)


def of_a_dict(n: Numbers) -> Any:
    params = {"a": n(5, 6), "b": n(4, 6), "o": n(6, 3), "p": n(6, 2)}

    def apply_fn(params: Any, inputs: Any) -> Any:
        x, y = relu(inputs["x"] @ params["a"]), relu(inputs["y"][0] @ params["b"])
        return {"sum": (x + y) @ params["o"], "each": (x @ params["p"], jnp.tanh(y).sum())}

    return apply_fn, params, {"x": n(4, 5), "y": (n(4, 4),)}


def constants(n: Numbers) -> Any:
    """Closes over arrays that have an index for each unit."""
    mean, scale, shift = n(6), n(6), n(1, 6)
    params = {"a": n(5, 6), "b": n(6, 6), "o": n(6, 3)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = (x @ params["a"] - along_last(mean, 2)) * along_last(scale, 2)
        return (relu(x) * (x @ params["b"] > 0) + relu(shift)) @ params["o"]

    return apply_fn, params, n(4, 5)


def orders(n: Numbers) -> Any:
    """Reversed, strided, split, stacked, repeated, tiled, transposed, rolled."""
    params = {"a": n(5, 12), "b": n(24, 8), "c": n(16, 3)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = relu(x @ params["a"])
        first, second = jnp.split(x[:, ::-1], [5], axis=1)
        x = jnp.concatenate([second, first], 1)
        x = jnp.stack([x[:, ::2], x[:, 1::2]], -1).reshape(4, -1)
        x = jnp.tile(x[:, :6], (1, 2)) + jnp.repeat(x[:, 6:], 2, axis=1)
        x = jnp.concatenate([x, jnp.roll(x, 3, axis=1)], 1)
        x = relu((params["b"].T @ x.T).T)
        x = jnp.pad(x, ((0, 0), (3, 5)))
        return x @ params["c"]

    return apply_fn, params, n(4, 5)


def einsums(n: Numbers) -> Any:
    params = {"a": n(5, 4, 3), "b": n(3, 4, 6), "c": n(6, 6), "o": n(6, 6, 2)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = jnp.einsum("bi,ihd->bdh", x, params["a"])
        x = jnp.einsum("dhe,bdh->be", params["b"], relu(x))
        y = jnp.einsum("be,bf,ef->bef", x, x, params["c"])
        return jnp.einsum("bef,efo->bo", y, params["o"])

    return apply_fn, params, n(4, 5)


def scanned(n: Numbers) -> Any:
    params = {
        "a": n(5, 6),
        "layers": {"w": n(3, 6, 7), "b": 0.1 * n(3, 7), "v": n(3, 7, 6)},
        "o": n(6, 2),
    }

    def apply_fn(params: Any, x: Any) -> Any:
        def layer(x: Any, own: Any) -> Any:
            h = relu(x @ own["w"] + along_last(own["b"], 2))
            return x + h @ own["v"], h.sum()

        x, sums = lax.scan(layer, relu(x @ params["a"]), params["layers"])
        return x @ params["o"], sums

    return apply_fn, params, n(4, 5)


@jax.custom_jvp
def own_softplus(x: jax.Array) -> jax.Array:
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x))) - jnp.log(2.0)


own_softplus.defjvps(lambda t, _, x: t * jax.nn.sigmoid(x))


@jax.custom_vjp
def straight_through(x: jax.Array) -> jax.Array:
    return jnp.sign(x)


straight_through.defvjp(lambda x: (jnp.sign(x), x), lambda x, g: (g * (jnp.abs(x) < 2),))


def called(n: Numbers) -> Any:
    """Checkpoints, and functions with derivatives of their own."""
    params = {"a": n(5, 8), "b": n(8, 7), "c": n(7, 6), "o": n(6, 3)}

    @jax.checkpoint
    def block(x: Any, w: Any) -> Any:
        return own_softplus(x @ w)

    def apply_fn(params: Any, x: Any) -> Any:
        x = jax.jit(block)(x, params["a"])
        x = straight_through(x @ params["b"])
        x = jax.checkpoint(lambda x: relu(x @ params["c"]))(x)
        return x @ params["o"]

    return apply_fn, params, n(4, 5)


def branches(n: Numbers) -> Any:
    """What isn't understood, or needs all of an axis."""
    params = {"a": n(5, 6), "b": n(6, 6), "c": n(6, 6), "d": n(6, 6), "o": n(6, 3)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = relu(x @ params["a"])
        x = lax.cond(x.sum() > 0, lambda x: 2 * x, lambda x: x - 1, x) @ params["b"]
        start = 0, lax.stop_gradient(x)
        x += lax.while_loop(lambda s: s[0] < 2, lambda s: (s[0] + 1, jnp.tanh(s[1])), start)[1]
        x = jnp.sort(x @ params["c"], axis=-1)
        x = jnp.cumsum(x @ params["d"], axis=-1) + jax.nn.softmax(x)
        return x @ params["o"], jnp.argmax(x, -1)

    return apply_fn, params, n(4, 5)


NETWORKS: dict[str, Network] = {
    "relu": mlp(relu),
    "relu, negative biases": mlp(relu, -1.0),
    "relu, zero biases": mlp(relu, 0.0),
    "maximum, biases": mlp(lambda x: jnp.maximum(x, 0), -0.05),
    "gelu, biases": mlp(jax.nn.gelu, 0.5),
    "tanh": mlp(jnp.tanh),
    "leaky relu, biases": mlp(jax.nn.leaky_relu, -0.1),
    "absolute, biases": mlp(jnp.abs, 0.1),
    "rounded, biases": mlp(lambda x: x + lax.round(3 * x), 0.1),
    "gated": gated,
    "of a dict": of_a_dict,
    "constants": constants,
    "orders": orders,
    "einsums": einsums,
    "scanned": scanned,
    "called": called,
    "branches": branches,
}
