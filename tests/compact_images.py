"""Small convolutional networks of many kinds."""

from typing import Any

import jax
import jax.numpy as jnp
from compact_networks import Network, Numbers, along_last, relu
from jax import lax


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
