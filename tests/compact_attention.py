"""Networks with attention and normalization over units."""

from typing import Any

import jax
import jax.numpy as jnp
from compact_networks import Network, Numbers, along_last, relu
from jax import lax


def attend(q: Any, k: Any, v: Any) -> Any:
    """``q``, ``k`` and ``v`` of shape (batch, positions, heads, head size)."""
    scores = jnp.einsum("bihd,bjhd->bhij", q, k) / 2
    scores = jnp.where(jnp.tril(jnp.ones(scores.shape[-2:], bool)), scores, -1e9)
    return jnp.einsum("bhij,bjhd->bihd", jax.nn.softmax(scores), v)


def separate(biased: bool) -> Network:
    """With kernels of shape (features, heads, head size) for queries, keys and values."""

    def network(n: Numbers) -> Any:
        params = {name: {"w": n(6, 3, 4)} for name in "qkv"} | {"out": {"w": n(3, 4, 6)}}
        if biased:
            for name in "qkv":
                params[name]["b"] = 0.1 * n(3, 4)
        params |= {"a": n(5, 6), "o": n(6, 2)}

        def project(own: Any, x: Any) -> Any:
            x = jnp.einsum("bti,ihd->bthd", x, own["w"])
            return x + own["b"][None, None] if "b" in own else x

        def apply_fn(params: Any, x: Any) -> Any:
            x = x @ params["a"]
            mixed = attend(*(project(params[name], x) for name in "qkv"))
            return (x + jnp.einsum("bthd,hdo->bto", mixed, params["out"]["w"])) @ params["o"]

        return apply_fn, params, n(2, 4, 5)

    return network


def fused(n: Numbers) -> Any:
    """One kernel for queries, keys and values, split and reshaped."""
    params = {"a": n(5, 6), "qkv": n(6, 36), "c": 0.1 * n(36), "out": n(12, 6), "o": n(6, 2)}

    def apply_fn(params: Any, x: Any) -> Any:
        x = x @ params["a"]
        parts = jnp.split(x @ params["qkv"] + along_last(params["c"], 3), 3, -1)
        mixed = attend(*(part.reshape(*part.shape[:2], 3, 4) for part in parts))
        return (x + mixed.reshape(*x.shape[:2], -1) @ params["out"]) @ params["o"]

    return apply_fn, params, n(2, 4, 5)


def interleaved(n: Numbers) -> Any:
    """Heads of size 1, each with its query, key and value side by side."""
    params = {"qkv": n(5, 9), "out": n(3, 5), "o": n(5, 2)}

    def apply_fn(params: Any, x: Any) -> Any:
        parts = jnp.split((x @ params["qkv"]).reshape(*x.shape[:2], 3, 3), 3, -1)
        return (x + attend(*parts).reshape(*x.shape[:2], -1) @ params["out"]) @ params["o"]

    return apply_fn, params, n(2, 4, 5)


def normalized(kind: str) -> Network:
    """Streams that lose channels, normalized over them."""

    def network(n: Numbers) -> Any:
        params = {"a": n(5, 8), "scale": n(8), "bias": 0.1 * n(8), "w": n(8, 7), "v": n(7, 8)}
        params |= {"o": n(8, 3)}

        def norm(x: Any) -> Any:
            match kind:
                case "layer":
                    mean = x.mean(-1, keepdims=True)
                    return (x - mean) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-3)
                case "fast layer":
                    mean, square = x.mean(-1, keepdims=True), jnp.square(x).mean(-1, keepdims=True)
                    return (x - mean) * lax.rsqrt(square - jnp.square(mean) + 1e-3)
                case "root":
                    return x / jnp.sqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-3)
                case "group":
                    parts = x.reshape(-1, 2, 4)
                    mean = parts.mean(-1, keepdims=True)
                    scale = lax.rsqrt(parts.var(-1, keepdims=True) + 1e-3)
                    return ((parts - mean) * scale).reshape(x.shape)
                case _:
                    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)

        def apply_fn(params: Any, x: Any) -> Any:
            x = x @ params["a"]
            scaled = norm(x) * along_last(params["scale"], 2) + along_last(params["bias"], 2)
            x = x + relu(scaled @ params["w"]) @ params["v"]
            return norm(x) @ params["o"]

        return apply_fn, params, n(4, 5)

    return network


def transformer(n: Numbers) -> Any:
    """One block, with embeddings of tokens and positions; outputs through the same embedding."""
    params = {"tokens": n(7, 6), "positions": n(4, 6), "qkv": n(6, 3, 3, 2), "out": n(3, 2, 6)}
    params |= {"scale": n(6), "up": n(6, 9), "c": 0.1 * n(9), "down": n(9, 6)}

    def norm(x: Any) -> Any:
        return x / jnp.sqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-3)

    def apply_fn(params: Any, tokens: Any) -> Any:
        x = params["tokens"][tokens] + params["positions"][None, : tokens.shape[1]]
        scaled = norm(x) * along_last(params["scale"], 3)
        mixed = attend(*jnp.einsum("bti,inhd->nbthd", scaled, params["qkv"]))
        x = x + jnp.einsum("bthd,hdo->bto", mixed, params["out"])
        x = x + jax.nn.gelu(norm(x) @ params["up"] + along_last(params["c"], 3)) @ params["down"]
        return x @ params["tokens"].T

    return apply_fn, params, jax.device_put(n.rng.integers(0, 7, (2, 4)))


NETWORKS: dict[str, Network] = {
    "attention": separate(biased=False),
    "attention, biases": separate(biased=True),
    "fused attention": fused,
    "interleaved attention": interleaved,
    **{
        f"{kind} normalization": normalized(kind)
        for kind in ("layer", "fast layer", "root", "group", "plain")
    },
    "transformer": transformer,
}
