"""Networks from the literature, each as small as it can be."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from compact_attention import attend
from compact_images import conv
from compact_networks import Network, Numbers, along_last, relu
from jax import lax


def ensemble(n: Numbers) -> Any:
    """Members side by side; a unit goes where it's dead in all of them."""
    params = {"a": n(3, 5, 6), "c": 0.1 * n(3, 6), "o": n(3, 6, 2)}

    def member(params: Any, x: Any) -> Any:
        return relu(x @ params["a"] + along_last(params["c"], 2)) @ params["o"]

    return lambda params, x: jax.vmap(member, (0, None))(params, x), params, n(4, 5)


def lstm(n: Numbers) -> Any:
    params = {"a": n(5, 6), "w": n(6, 24), "u": n(6, 24), "b": 0.1 * n(24), "o": n(6, 2)}

    def apply_fn(params: Any, x: Any) -> Any:
        def step(state: Any, x: Any) -> Any:
            h, c = state
            gates = x @ params["w"] + h @ params["u"] + along_last(params["b"], 2)
            i, f, g, o = jnp.split(gates, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((x.shape[1], 6))
        (h, _), all_h = lax.scan(step, (zeros, zeros), relu(x @ params["a"]))
        return h @ params["o"], all_h @ params["o"]

    return apply_fn, params, n(4, 3, 5)


def recurrent(n: Numbers) -> Any:
    params = {"a": n(5, 6), "w": n(6, 6), "u": n(6, 6), "o": n(6, 2)}

    def apply_fn(params: Any, x: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = relu(x @ params["w"] + h @ params["u"])
            return h, h

        x = relu(x @ params["a"])
        return lax.scan(step, jnp.zeros(x.shape[1:]), x)[1] @ params["o"]

    return apply_fn, params, n(4, 3, 5)


def nested_scans(n: Numbers) -> Any:
    params = {"a": n(5, 6), "l": {"w": n(2, 3, 6, 6), "c": 0.1 * n(2, 3, 6)}, "o": n(6, 2)}

    @jax.checkpoint
    def inner(x: Any, own: Any) -> Any:
        return x + relu(x @ own["w"] + along_last(own["c"], 2)), None

    def apply_fn(params: Any, x: Any) -> Any:
        x = relu(x @ params["a"])
        x, _ = lax.scan(lambda x, own: lax.scan(inner, x, own), x, params["l"])
        return x @ params["o"]

    return apply_fn, params, n(4, 5)


def adapted(n: Numbers) -> Any:
    """Kernels made of several params."""
    params = {"w": n(5, 6), "a": n(5, 3), "b": n(3, 6), "o": n(6, 4), "p": n(6, 4)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = relu(x @ (params["w"] + params["a"] @ params["b"]))
        return x @ (params["o"] * params["p"])

    return apply_fn, params, n(4, 5)


def experts(n: Numbers) -> Any:
    params = {"a": n(5, 6), "r": n(6, 4), "w": n(4, 6, 7), "v": n(4, 7, 6), "o": n(6, 2)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = x @ params["a"]
        gates = jax.nn.softmax(x @ params["r"])
        h = relu(jnp.einsum("bi,eih->beh", x, params["w"]))
        return jnp.einsum("be,beh,eho->bo", gates, h, params["v"]) @ params["o"]

    return apply_fn, params, n(4, 5)


def of_patches(n: Numbers) -> Any:
    """A vision transformer with a class token and scaled branches."""
    params = {"a": n(2, 2, 2, 6), "s": n(6), "class": n(1, 1, 6), "at": n(1, 5, 6)}
    params |= {"qkv": n(6, 18), "out": n(6, 6), "u": n(6, 8), "v": n(8, 6), "o": n(6, 3)}

    def apply_fn(params: Any, x: Any) -> Any:
        numbers = ("NHWC", "HWIO", "NHWC")
        x = lax.conv_general_dilated(x, params["a"], (2, 2), "VALID", dimension_numbers=numbers)
        x = x.reshape(x.shape[0], -1, 6)
        first = jnp.broadcast_to(params["class"], (x.shape[0], 1, 6))
        x = jnp.concatenate([first, x], 1) + params["at"]
        parts = jnp.split(x @ params["qkv"], 3, -1)
        mixed = attend(*(part.reshape(*part.shape[:2], 2, 3) for part in parts))
        x = x + mixed.reshape(*x.shape) @ params["out"]
        x = x + jax.nn.gelu(x @ params["u"]) @ params["v"] * along_last(params["s"], 3)
        return x[:, 0] @ params["o"]

    return apply_fn, params, n(2, 4, 4, 2)


def mixer(n: Numbers) -> Any:
    """Layers along positions and along channels in turns."""
    params = {"a": n(5, 6), "t": n(4, 7), "u": n(7, 4), "o": n(6, 2)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = relu(x @ params["a"])
        x = x + (relu(x.swapaxes(1, 2) @ params["t"]) @ params["u"]).swapaxes(1, 2)
        return x.mean(1) @ params["o"]

    return apply_fn, params, n(3, 4, 5)


def highway(n: Numbers) -> Any:
    params = {"a": n(5, 6), "t": n(6, 6), "b": 0.1 * n(6) - 1, "h": n(6, 6), "o": n(6, 2)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = relu(x @ params["a"])
        gate = jax.nn.sigmoid(x @ params["t"] + along_last(params["b"], 2))
        return (gate * relu(x @ params["h"]) + (1 - gate) * x) @ params["o"]

    return apply_fn, params, n(3, 5)


def learned_slopes(n: Numbers) -> Any:
    params = {"a": n(5, 6), "s": n(6), "z": n(), "o": n(6, 2)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = x @ params["a"]
        x = jnp.where(x > 0, x, along_last(params["s"], 2) * x)
        return jnp.where(x > 0, x, params["z"] * x) @ params["o"]

    return apply_fn, params, n(3, 5)


def maxout(n: Numbers) -> Any:
    params = {"a": n(5, 12), "c": 0.1 * n(12), "o": n(6, 2)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = x @ params["a"] + along_last(params["c"], 2)
        return x.reshape(-1, 6, 2).max(-1) @ params["o"]

    return apply_fn, params, n(3, 5)


def outer_products(n: Numbers) -> Any:
    params = {"a": n(5, 4), "b": n(5, 3), "o": n(12, 2)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = relu(x @ params["a"])[:, :, None] * relu(x @ params["b"])[:, None, :]
        return x.reshape(-1, 12) @ params["o"]

    return apply_fn, params, n(3, 5)


def weight_normalized(n: Numbers) -> Any:
    params = {"a": n(5, 6), "b": n(6, 4), "o": n(4, 2)}

    def norm(w: Any) -> Any:
        return w / jnp.sqrt(jnp.square(w).sum(0, keepdims=True) + 1e-2)

    def apply_fn(params: Any, x: Any) -> Any:
        return relu(relu(x @ norm(params["a"])) @ norm(params["b"])) @ norm(params["o"])

    return apply_fn, params, n(3, 5)


def spectrally_normalized(n: Numbers) -> Any:
    params = {"a": n(5, 6), "b": n(6, 4), "o": n(4, 2)}

    def norm(w: Any) -> Any:
        v = jnp.ones((w.shape[1], 1)) / math.sqrt(w.shape[1])
        v = w.T @ (w @ v)
        v = v / (jnp.linalg.norm(v) + 1e-2)
        return w / (jnp.linalg.norm(w @ v) + 1e-2)

    def apply_fn(params: Any, x: Any) -> Any:
        return relu(relu(x @ norm(params["a"])) @ norm(params["b"])) @ norm(params["o"])

    return apply_fn, params, n(3, 5)


def both_signs(n: Numbers) -> Any:
    """Concatenated activations, strided channels, resized images, pooled by reshaping."""
    params = {"a": n(3, 3, 2, 4), "b": n(3, 3, 4, 4), "o": n(4, 2)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = conv(x, params["a"])
        x = jnp.concatenate([relu(x), relu(-x)], -1)[..., ::2] + x
        x = jax.image.resize(x, (x.shape[0], 6, 6, 4), "bilinear")
        x = relu(conv(x, params["b"])).reshape(x.shape[0], 3, 2, 3, 2, 4).mean((2, 4))
        return x.max((1, 2)) @ params["o"]

    return apply_fn, params, n(2, 4, 4, 2)


def pixels_shuffled(n: Numbers) -> Any:
    params = {"a": n(3, 3, 2, 8), "c": 0.1 * n(8), "b": n(3, 3, 2, 3)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = relu(conv(x, params["a"]) + along_last(params["c"], 4))
        batch, height, width, _ = x.shape
        x = x.reshape(batch, height, width, 2, 2, 2).transpose(0, 1, 3, 2, 4, 5)
        return conv(x.reshape(batch, 2 * height, 2 * width, 2), params["b"])

    return apply_fn, params, n(2, 4, 4, 2)


def channels_first(n: Numbers) -> Any:
    params = {"a": n(4, 2, 3, 3), "c": 0.1 * n(4), "b": n(5, 4, 3, 3), "o": n(20, 3)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = relu(lax.conv(x, params["a"], (1, 1), "SAME") + params["c"].reshape(1, -1, 1, 1))
        x = jnp.tanh(lax.conv(x, params["b"], (2, 2), "SAME"))
        return x.reshape(x.shape[0], -1) @ params["o"]

    return apply_fn, params, n(2, 2, 4, 4)


NETWORKS: dict[str, Network] = {
    "ensemble": ensemble,
    "LSTM": lstm,
    "recurrent": recurrent,
    "nested scans": nested_scans,
    "adapted": adapted,
    "experts": experts,
    "of patches": of_patches,
    "mixer": mixer,
    "highway": highway,
    "learned slopes": learned_slopes,
    "maxout": maxout,
    "outer products": outer_products,
    "weight normalized": weight_normalized,
    "spectrally normalized": spectrally_normalized,
    "both signs": both_signs,
    "pixels shuffled": pixels_shuffled,
    "channels first": channels_first,
}
