"""Small networks of many kinds, in plain JAX: each draws its params and inputs in float64."""

from collections.abc import Callable
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
        return jnp.asarray(self.rng.normal(size=shape))


Network = Callable[[Numbers], tuple[Any, Any, Any]]
"""``network(numbers) -> apply_fn, params, inputs``."""


def masked(network: Network, seed: int) -> tuple[Case, sf.Compact]:
    """A network with a random mask that leaves some units dead, and what is left of it."""
    apply_fn, params, inputs = network(Numbers(seed))
    draw = Draw(np.random.default_rng(seed))
    while True:
        mask = jax.tree.map(lambda leaf: jnp.asarray(drawn_mask(draw, leaf.shape)), params)
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
        params = [{"w": n(i, o)} for i, o in zip(sizes[:-1], sizes[1:], strict=True)]
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


# Convolutional networks.


def conv(x: Any, w: Any, *, groups: int = 1, stride: int = 1, dilation: int = 1) -> Any:
    return lax.conv_general_dilated(
        x,
        w,
        (stride, stride),
        "SAME",
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def batch_norm(x: Any, own: Any, name: str) -> Any:
    mean, square = x.mean((0, 1, 2)), jnp.square(x).mean((0, 1, 2))
    x = (x - along_last(mean, 4)) * along_last(lax.rsqrt(square - jnp.square(mean) + 1e-3), 4)
    return x * along_last(own[f"{name}_scale"], 4) + along_last(own[f"{name}_bias"], 4)


def pool(x: Any, init: float, computation: Any) -> Any:
    return lax.reduce_window(x, init, computation, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def flat(n: Numbers) -> Any:
    """Flattened before its dense layers; with max and average pooling."""
    params = {"a": n(3, 3, 2, 5), "c": 0.1 * n(5), "b": n(2, 2, 5, 4), "w": n(16, 6), "o": n(6, 3)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = relu(conv(x, params["a"]) + along_last(params["c"], 4))
        x = pool(x, -jnp.inf, lax.max)
        x = pool(
            jnp.pad(relu(conv(x, params["b"])), ((0, 0), (1, 0), (0, 1), (0, 0))), 0.0, lax.add
        )
        return relu(x[:, :2, :2].reshape(x.shape[0], -1) @ params["w"]) @ params["o"]

    return apply_fn, params, n(2, 6, 6, 2)


def densely_connected(n: Numbers) -> Any:
    params: dict[str, Any] = {"stem": n(3, 3, 2, 4)}
    for i in range(2):
        width = 4 + 3 * i
        params |= {
            f"w{i}": n(3, 3, width, 3),
            f"n{i}_scale": n(width),
            f"n{i}_bias": 0.1 * n(width),
        }
    params |= {"t": n(1, 1, 10, 5), "o": n(5, 3)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = conv(x, params["stem"])
        for i in range(2):
            x = jnp.concatenate(
                [x, conv(relu(batch_norm(x, params, f"n{i}")), params[f"w{i}"])], -1
            )
        return relu(conv(x, params["t"], stride=2)).mean((1, 2)) @ params["o"]

    return apply_fn, params, n(2, 4, 4, 2)


def separable(multiplier: int, groups: int = 0) -> Network:
    """Depthwise or grouped convolutions, with squeeze-excitation."""

    def network(n: Numbers) -> Any:
        width = 6
        wide = multiplier * width
        params = {
            "a": n(1, 1, 2, width),
            "d": n(3, 3, width // (groups or width), wide),
            "n_scale": jnp.ones(wide),
            "n_bias": jnp.zeros(wide),
            "s": n(wide, 3),
            "e": n(3, wide),
            "p": n(1, 1, wide, 5),
            "o": n(5, 3),
        }

        def apply_fn(params: Any, x: Any) -> Any:
            x = jax.nn.relu6(conv(x, params["a"]))
            x = relu(batch_norm(conv(x, params["d"], groups=groups or width), params, "n"))
            squeezed = relu(x.mean((1, 2)) @ params["s"]) @ params["e"]
            x = x * jax.nn.sigmoid(squeezed)[:, None, None]
            return conv(x, params["p"], dilation=2).mean((1, 2)) @ params["o"]

        return apply_fn, params, n(2, 4, 4, 2)

    return network


def excited(n: Numbers) -> Any:
    """Squeeze-excitation whose mean keeps its axes."""
    params = {"a": n(3, 3, 2, 5), "s": n(5, 3), "e": n(3, 5), "o": n(5, 3)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = relu(conv(x, params["a"]))
        x = x * jax.nn.sigmoid(relu(x.mean((1, 2), keepdims=True) @ params["s"]) @ params["e"])
        return x.mean((1, 2)) @ params["o"]

    return apply_fn, params, n(2, 4, 4, 2)


def shuffled(n: Numbers) -> Any:
    """Channels of groups shuffled by reshaping, as in a ShuffleNet."""
    params = {"a": n(1, 1, 2, 6), "b": n(3, 3, 2, 6), "c": n(1, 1, 2, 6), "o": n(6, 3)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = relu(conv(conv(x, params["a"]), params["b"], groups=3))
        x = x.reshape(*x.shape[:-1], 3, 2).swapaxes(-1, -2).reshape(x.shape)
        return relu(conv(x, params["c"], groups=3)).mean((1, 2)) @ params["o"]

    return apply_fn, params, n(2, 4, 4, 2)


def u_shaped(n: Numbers) -> Any:
    params = {
        "a": n(3, 3, 2, 4),
        "b": n(3, 3, 4, 5),
        "up": n(2, 2, 5, 4),
        "c": n(3, 3, 8, 4),
        "o": n(1, 1, 4, 2),
    }

    def apply_fn(params: Any, x: Any) -> Any:
        skip = relu(conv(x, params["a"]))
        x = relu(conv(pool(skip, -jnp.inf, lax.max), params["b"]))
        x = lax.conv_transpose(x, params["up"], (2, 2), "VALID")
        x = relu(conv(jnp.concatenate([skip, relu(x)], -1), params["c"]))
        return conv(x, params["o"])

    return apply_fn, params, n(2, 4, 4, 2)


def padded_shortcut(n: Numbers) -> Any:
    """The shortcut is padded with channels of zeros, as in the first residual networks."""
    params = {"a": n(3, 3, 2, 4), "n_scale": n(8), "n_bias": 0.1 * n(8), "b": n(3, 3, 4, 8)}
    params |= {"c": n(3, 3, 8, 8), "o": n(8, 3)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = relu(conv(x, params["a"]))
        short = jnp.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (2, 2)))
        x = relu(short + batch_norm(conv(x, params["b"], stride=2), params, "n"))
        x = relu(x + conv(x, params["c"]))
        return x.mean((1, 2)) @ params["o"]

    return apply_fn, params, n(2, 4, 4, 2)


def standardized(n: Numbers) -> Any:
    """Kernels of mean 0 and variance 1, computed from what is left of them."""
    params = {"a": n(3, 3, 2, 5), "gain": n(1, 1, 1, 5), "b": n(3, 3, 5, 4), "o": n(4, 3)}

    def standard(w: Any) -> Any:
        return (w - w.mean((0, 1, 2), keepdims=True)) * lax.rsqrt(
            w.var((0, 1, 2), keepdims=True) + 0.1
        )

    def apply_fn(params: Any, x: Any) -> Any:
        x = relu(conv(x, standard(params["a"]) * params["gain"]))
        return relu(conv(x, standard(params["b"]))).mean((1, 2)) @ params["o"]

    return apply_fn, params, n(2, 4, 4, 2)


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
    "flat": flat,
    "densely connected": densely_connected,
    "separable": separable(1),
    "separable, multiplier 2": separable(2),
    "grouped": separable(2, 3),
    "excited": excited,
    "shuffled": shuffled,
    "u-shaped": u_shaped,
    "padded shortcut": padded_shortcut,
    "standardized": standardized,
}
