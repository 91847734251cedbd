"""Networks with attention, normalization and gates, as people write them, in float64."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

relu = jax.nn.relu


class Case(NamedTuple):
    """A network.

    Attributes:
        apply_fn: of params and inputs.
        params: a dict.
        inputs: an example.
        equal: names of params whose scores add up to one number, and how often each counts.
    """

    apply_fn: Any
    params: Any
    inputs: Any
    equal: tuple[dict[str, int], ...]


class Draw:
    """Draws arrays."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def __call__(self, *shape: int) -> jax.Array:
        return jax.device_put(self.rng.normal(size=shape))


def along(vector: jax.Array, x: jax.Array) -> jax.Array:
    """Along the last axis."""
    return vector.reshape((1,) * (x.ndim - 1) + (-1,))


def layer_norm(x: jax.Array, scale: jax.Array, shift: jax.Array) -> jax.Array:
    mean = x.mean(-1, keepdims=True)
    variance = jnp.square(x - mean).mean(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(variance + 1e-6) * along(scale, x) + along(shift, x)


def rms_norm(x: jax.Array, scale: jax.Array) -> jax.Array:
    return x * lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6) * along(scale, x)


def rotated(x: jax.Array) -> jax.Array:
    """Rotary embedding of ``(batch, tokens, heads, dimensions)``."""
    half = x.shape[-1] // 2
    angles = jnp.arange(x.shape[1], dtype=x.dtype)[:, None] / 10.0 ** (
        jnp.arange(half, dtype=x.dtype)[None] / half
    )
    cos, sin = jnp.cos(angles)[None, :, None], jnp.sin(angles)[None, :, None]
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], -1)


def softmax_by_hand(logits: jax.Array) -> jax.Array:
    raised = jnp.exp(logits - logits.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def conv(x: jax.Array, kernel: jax.Array, groups: int = 1) -> jax.Array:
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=numbers, feature_group_count=groups
    )


def fused(n: Draw) -> Case:
    """One kernel for queries, keys and values of two heads."""
    params = {"e": n(5, 8), "qkv": n(8, 24), "o": n(8, 8), "h": n(8, 3)}

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        x = x @ params["e"]
        parts = jnp.split(x @ params["qkv"], 3, -1)
        q, k, v = (part.reshape(*part.shape[:2], 2, 4) for part in parts)
        weights = jax.nn.softmax(jnp.einsum("nqhd,nkhd->nhqk", q, k) / 2.0)
        return (x + jnp.einsum("nhqk,nkhd->nqhd", weights, v).reshape(x.shape) @ params["o"]) @ (
            params["h"]
        )

    return Case(apply_fn, params, jnp.ones((1, 4, 5)), ({"e": 1, "h": 1}, {"qkv": 3, "o": 1}))


def llama(n: Draw) -> Case:
    """RMSNorm, rotary embedding, grouped heads, SwiGLU, token ids, a mask by a choice."""
    params = {"tokens": n(11, 8), "norm": n(8), "out": n(8, 11)}
    for i in range(2):
        params |= {f"{i}a": n(8), f"{i}q": n(8, 4, 4), f"{i}k": n(8, 2, 4), f"{i}v": n(8, 2, 4)}
        params |= {f"{i}o": n(4, 4, 8), f"{i}b": n(8), f"{i}g": n(8, 9), f"{i}u": n(8, 9)}
        params |= {f"{i}d": n(9, 8)}

    def apply_fn(params: Any, ids: jax.Array) -> jax.Array:
        x = params["tokens"][ids]
        hidden = jnp.tril(jnp.ones((1, 1, 4, 4), bool))
        for i in range(2):
            y = rms_norm(x, params[f"{i}a"])
            q, k, v = (jnp.einsum("nte,ehd->nthd", y, params[f"{i}{name}"]) for name in "qkv")
            k, v = jnp.repeat(rotated(k), 2, 2), jnp.repeat(v, 2, 2)
            logits = jnp.einsum("nqhd,nkhd->nhqk", rotated(q), k) / 2.0
            weights = softmax_by_hand(jnp.where(hidden, logits, -1e9))
            x = x + jnp.einsum("nhqk,nkhd,hde->nqe", weights, v, params[f"{i}o"])
            y = rms_norm(x, params[f"{i}b"])
            x = x + (jax.nn.silu(y @ params[f"{i}g"]) * (y @ params[f"{i}u"])) @ params[f"{i}d"]
        return rms_norm(x, params["norm"]) @ params["out"]

    equal = [{"tokens": 1, "norm": 1, "out": 1}]
    for i in range(2):
        equal += [{f"{i}{name}": 1 for name in "aqkvo"}, {f"{i}{name}": 1 for name in "bgud"}]
    return Case(apply_fn, params, jnp.array([[1, 5, 2, 7]]), tuple(equal))


def gpt(n: Draw) -> Case:
    """Tied embeddings, learned positions, a mask that is added."""
    params = {"tokens": n(11, 8), "positions": n(4, 8), "s": n(8), "b": n(8), "qkv": n(8, 24)}
    params |= {"o": n(8, 8)}

    def apply_fn(params: Any, ids: jax.Array) -> jax.Array:
        x = params["tokens"][ids] + params["positions"][None]
        q, k, v = jnp.split(layer_norm(x, params["s"], params["b"]) @ params["qkv"], 3, -1)
        hidden = jnp.triu(jnp.full((1, 4, 4), -1e10), 1)
        weights = jax.nn.softmax(q @ k.transpose(0, 2, 1) * 0.35 + hidden, -1)
        return (x + (weights @ v) @ params["o"]) @ params["tokens"].T

    return Case(apply_fn, params, jnp.array([[1, 5, 2, 7]]), ({"s": 1, "qkv": 3, "o": 1},))


def squeezed(sigmoid: Callable[[jax.Array], jax.Array]) -> Callable[[Draw], Case]:
    """Squeeze-excitation after a depthwise convolution."""

    def network(n: Draw) -> Case:
        params = {"a": n(3, 3, 3, 8), "w": n(3, 3, 1, 8), "r": n(8, 2), "u": n(2, 8), "o": n(8, 4)}

        def apply_fn(params: Any, x: jax.Array) -> jax.Array:
            x = jax.nn.silu(conv(jax.nn.silu(conv(x, params["a"])), params["w"], 8))
            gate = sigmoid(relu(x.mean((1, 2)) @ params["r"]) @ params["u"])
            return (x * gate[:, None, None]).mean((1, 2)) @ params["o"]

        names = dict.fromkeys(params, 1)
        return Case(apply_fn, params, jnp.ones((1, 6, 6, 3)), (names,))

    return network


def library(n: Draw) -> Case:
    """`jax.nn.dot_product_attention`."""
    params = {"e": n(5, 8), **{name: n(8, 2, 4) for name in "qkv"}, "o": n(2, 4, 3)}

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        x = x @ params["e"]
        q, k, v = (jnp.einsum("nte,ehd->nthd", x, params[name]) for name in "qkv")
        mixed = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        return jnp.einsum("nthd,hde->nte", mixed, params["o"])

    return Case(apply_fn, params, jnp.ones((1, 4, 5)), ({"e": 1, "v": 1, "o": 1}, {"q": 1, "k": 1}))


def crossed(n: Draw) -> Case:
    """Queries of one sequence, keys and values of another, which goes through a layer first."""
    params = {"e": n(5, 8), "m": n(6, 8), **{name: n(8, 8) for name in "qkvo"}, "h": n(8, 3)}

    def apply_fn(params: Any, both: Any) -> jax.Array:
        x, memory = both[0] @ params["e"], relu(both[1] @ params["m"])
        logits = (x @ params["q"]) @ (memory @ params["k"]).transpose(0, 2, 1) / 3.0
        return (x + jax.nn.softmax(logits) @ (memory @ params["v"]) @ params["o"]) @ params["h"]

    inputs = jnp.ones((1, 4, 5)), jnp.ones((1, 7, 6))
    return Case(apply_fn, params, inputs, (dict.fromkeys("mqkvo", 1),))


def experts(n: Draw) -> Case:
    """A mixture of experts by dense gates."""
    params = {"e": n(5, 8), "r": n(8, 3), "w": n(3, 8, 6), "u": n(3, 6, 8), "h": n(8, 3)}

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        x = x @ params["e"]
        gate = jax.nn.softmax(x @ params["r"])
        inner = relu(jnp.einsum("ntd,edk->ntek", x, params["w"]))
        each = jnp.einsum("ntek,ekd->nted", inner, params["u"])
        return (x + jnp.einsum("nte,nted->ntd", gate, each)) @ params["h"]

    return Case(apply_fn, params, jnp.ones((1, 4, 5)), ({"r": 1, "w": 1, "u": 1}, {"e": 1, "h": 1}))


def mixer(n: Draw) -> Case:
    """A block over tokens and one over channels."""
    params = {"e": n(5, 8), "s": n(8), "b": n(8), "t": n(4, 6), "u": n(6, 4)}
    params |= {"c": n(8, 9), "d": n(9, 8), "z": n(8), "h": n(8, 3)}

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        x = x @ params["e"]
        y = layer_norm(x, params["s"], params["b"]).transpose(0, 2, 1)
        x = x + (jax.nn.gelu(y @ params["t"]) @ params["u"]).transpose(0, 2, 1)
        y = layer_norm(x, params["z"], params["b"])
        return (x + jax.nn.gelu(y @ params["c"]) @ params["d"]).mean(1) @ params["h"]

    equal = ({"s": 1, "t": 1, "u": 1}, {"z": 1, "c": 1, "d": 1}, {"e": 1, "h": 1})
    return Case(apply_fn, params, jnp.ones((1, 4, 5)), equal)


def grouped(n: Draw) -> Case:
    """GroupNorm after a convolution whose kernel is standardized."""
    params = {"a": n(3, 3, 3, 8), "s": n(8), "o": n(8, 4)}

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        kernel = params["a"]
        centered = kernel - kernel.mean((0, 1, 2), keepdims=True)
        x = conv(x, centered / jnp.sqrt(kernel.var((0, 1, 2), keepdims=True) + 1e-5))
        groups = x.reshape(len(x), 6, 6, 2, 4)
        centered = groups - groups.mean((1, 2, 4), keepdims=True)
        variance = groups.var((1, 2, 4), keepdims=True)
        x = (centered * lax.rsqrt(variance + 1e-5)).reshape(x.shape) * along(params["s"], x)
        return relu(x).mean((1, 2)) @ params["o"]

    return Case(apply_fn, params, jnp.ones((1, 6, 6, 3)), ({"a": 1, "s": 1, "o": 1},))


def scanned(n: Draw) -> Case:
    """A loop over stacked layers, each computed anew for the gradient."""
    params = {"e": n(5, 8), **{name: n(3, 8, 8) for name in "qkvo"}, "s": n(3, 8), "h": n(8, 3)}

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        def body(x: jax.Array, own: Any) -> tuple[jax.Array, None]:
            y = rms_norm(x, own["s"])
            logits = (y @ own["q"]) @ (y @ own["k"]).transpose(0, 2, 1) / 3.0
            return x + jax.nn.softmax(logits) @ (y @ own["v"]) @ own["o"], None

        layers = {name: params[name] for name in "qkvos"}
        return lax.scan(jax.checkpoint(body), x @ params["e"], layers)[0] @ params["h"]

    return Case(
        apply_fn, params, jnp.ones((1, 4, 5)), (dict.fromkeys("qkvos", 1), {"e": 1, "h": 1})
    )


NETWORKS: dict[str, Callable[[Draw], Case]] = {
    "fused attention": fused,
    "llama": llama,
    "gpt": gpt,
    "squeeze-excitation": squeezed(jax.nn.sigmoid),
    "hard squeeze-excitation": squeezed(jax.nn.hard_sigmoid),
    "library attention": library,
    "cross attention": crossed,
    "experts": experts,
    "mixer": mixer,
    "group normalization": grouped,
    "scanned": scanned,
}
