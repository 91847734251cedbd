"""Networks that people train, with attention, gates and normalization, at their published sizes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from branching import layer_norm, rms_norm, rotated
from jax import lax


class Large(NamedTuple):
    """A network.

    Attributes:
        apply_fn: of params and inputs.
        params: a dict.
        inputs: an example.
        size: how many params it has, as published.
        equal: groups of params; the scores of each in a group add up to one number.
    """

    apply_fn: Any
    params: dict[str, jax.Array]
    inputs: Any
    size: int | None
    equal: list[list[str]]


class Params(dict[str, jax.Array]):
    """Params by name, drawn as they are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.rng = np.random.default_rng(0)

    def kernel(self, name: str, *shape: int) -> None:
        deviation = np.prod(shape[:-1]) ** -0.5
        self[name] = jnp.asarray(deviation * self.rng.normal(size=shape), jnp.float32)

    def ones(self, name: str, *shape: int) -> None:
        self[name] = jnp.ones(shape)

    def zeros(self, name: str, *shape: int) -> None:
        self[name] = jnp.zeros(shape)

    def layer(self, name: str, *shape: int) -> None:
        """A kernel and its bias."""
        self.kernel(name, *shape)
        self.zeros(f"{name}/bias", shape[-1])

    def norm(self, name: str, width: int) -> None:
        self.ones(f"{name}/scale", width)
        self.zeros(f"{name}/shift", width)


def conv(
    p: Any, name: str, x: jax.Array, stride: int = 1, groups: int = 1, *, padding: str = "SAME"
) -> jax.Array:
    numbers = ("NHWC", "HWIO", "NHWC")
    y = lax.conv_general_dilated(
        x, p[name], (stride,) * 2, padding, dimension_numbers=numbers, feature_group_count=groups
    )
    return y + p[f"{name}/bias"].reshape(1, 1, 1, -1) if f"{name}/bias" in p else y


def dense(p: Any, name: str, x: jax.Array) -> jax.Array:
    return x @ p[name] + p[f"{name}/bias"].reshape((1,) * (x.ndim - 1) + (-1,))


def normed(p: Any, name: str, x: jax.Array) -> jax.Array:
    return layer_norm(x, p[f"{name}/scale"], p[f"{name}/shift"])


def convnext_tiny() -> Large:
    """ConvNeXt-T (Liu et al. 2022, arXiv:2201.03545), 28.6 M."""
    p, widths, depths = Params(), (96, 192, 384, 768), (3, 3, 9, 3)
    p.layer("stem", 4, 4, 3, 96)
    p.norm("stem", 96)
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        if stage:
            p.norm(f"{stage}/down", widths[stage - 1])
            p.layer(f"{stage}/down", 2, 2, widths[stage - 1], width)
        for i in range(depth):
            own = f"{stage}/{i}"
            p.layer(f"{own}/depthwise", 7, 7, 1, width)
            p.norm(own, width)
            p.layer(f"{own}/inner", width, 4 * width)
            p.layer(f"{own}/outer", 4 * width, width)
            p[f"{own}/gain"] = jnp.full(width, 1e-6)
    p.norm("norm", 768)
    p.layer("head", 768, 1000)

    def apply_fn(p: Any, x: jax.Array) -> jax.Array:
        x = normed(p, "stem", conv(p, "stem", x, 4, padding="VALID"))
        for stage, depth in enumerate(depths):
            if stage:
                x = conv(p, f"{stage}/down", normed(p, f"{stage}/down", x), 2, padding="VALID")
            for i in range(depth):
                own = f"{stage}/{i}"
                y = normed(p, own, conv(p, f"{own}/depthwise", x, groups=x.shape[-1]))
                y = dense(p, f"{own}/outer", jax.nn.gelu(dense(p, f"{own}/inner", y)))
                x = x + y * p[f"{own}/gain"].reshape(1, 1, 1, -1)
        return dense(p, "head", normed(p, "norm", x.mean((1, 2))))

    names = ("depthwise", "inner", "outer", "gain")
    blocks = [f"{stage}/{i}" for stage, depth in enumerate(depths) for i in range(depth)]
    equal = [[f"{own}/{name}" for name in names] for own in blocks]
    return Large(apply_fn, p, jnp.ones((1, 64, 64, 3)), 28_589_128, [*equal, ["stem", "head"]])


# Expansion, width, repeats, stride and kernel size of each stage.
STAGES = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)]
STAGES += [(6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]


def efficientnet_b0() -> Large:
    """EfficientNet-B0 (Tan & Le 2019, arXiv:1905.11946), 5.3 M; BatchNorm in inference mode."""
    p, blocks, before = Params(), [], 32
    p.kernel("stem", 3, 3, 3, 32)
    p.norm("stem", 32)
    for expansion, width, repeats, stride, size in STAGES:
        for i in range(repeats):
            own, inner, reduced = f"{len(blocks)}", expansion * before, before // 4
            if expansion > 1:
                p.kernel(f"{own}/expand", 1, 1, before, inner)
                p.norm(f"{own}/expand", inner)
            p.kernel(f"{own}/depthwise", size, size, 1, inner)
            p.norm(f"{own}/depthwise", inner)
            p.layer(f"{own}/reduce", inner, reduced)
            p.layer(f"{own}/restore", reduced, inner)
            p.kernel(f"{own}/project", 1, 1, inner, width)
            p.norm(f"{own}/project", width)
            blocks.append((expansion > 1, stride if i == 0 else 1, before == width))
            before = width
    p.kernel("last", 1, 1, 320, 1280)
    p.norm("last", 1280)
    p.layer("head", 1280, 1000)

    def batch_norm(p: Any, name: str, x: jax.Array) -> jax.Array:
        return x * p[f"{name}/scale"].reshape(1, 1, 1, -1) + p[f"{name}/shift"].reshape(1, 1, 1, -1)

    def convolved(p: Any, name: str, x: jax.Array, *options: int) -> jax.Array:
        return batch_norm(p, name, conv(p, name, x, *options))

    def apply_fn(p: Any, x: jax.Array) -> jax.Array:
        x = jax.nn.silu(convolved(p, "stem", x, 2))
        for i, (expands, stride, residual) in enumerate(blocks):
            y = jax.nn.silu(convolved(p, f"{i}/expand", x)) if expands else x
            y = jax.nn.silu(convolved(p, f"{i}/depthwise", y, stride, y.shape[-1]))
            gate = jax.nn.silu(dense(p, f"{i}/reduce", y.mean((1, 2))))
            y = y * jax.nn.sigmoid(dense(p, f"{i}/restore", gate))[:, None, None]
            y = convolved(p, f"{i}/project", y)
            x = x + y if residual else y
        x = jax.nn.silu(convolved(p, "last", x))
        return dense(p, "head", x.mean((1, 2)))

    equal = [[f"{i}/depthwise", f"{i}/reduce", f"{i}/restore"] for i in range(len(blocks))]
    return Large(apply_fn, p, jnp.ones((1, 64, 64, 3)), 5_288_548, [*equal, ["stem", "head"]])


def gpt2() -> Large:
    """GPT-2's smallest (Radford et al. 2019), 124.4 M, its embedding tied."""
    p, width = Params(), 768
    p.kernel("tokens", 50257, width)
    p.kernel("positions", 1024, width)
    for i in range(12):
        p.norm(f"{i}/a", width)
        p.layer(f"{i}/qkv", width, 3 * width)
        p.layer(f"{i}/o", width, width)
        p.norm(f"{i}/b", width)
        p.layer(f"{i}/inner", width, 4 * width)
        p.layer(f"{i}/outer", 4 * width, width)
    p.norm("norm", width)

    def apply_fn(p: Any, ids: jax.Array) -> jax.Array:
        length = ids.shape[1]
        x = p["tokens"][ids] + p["positions"][None, :length]
        hidden = jnp.tril(jnp.ones((1, 1, length, length), bool))
        for i in range(12):
            parts = jnp.split(dense(p, f"{i}/qkv", normed(p, f"{i}/a", x)), 3, -1)
            q, k, v = (part.reshape(*part.shape[:2], 12, 64) for part in parts)
            logits = jnp.einsum("nqhd,nkhd->nhqk", q, k) / 8.0
            weights = jax.nn.softmax(jnp.where(hidden, logits, -1e9))
            mixed = jnp.einsum("nhqk,nkhd->nqhd", weights, v).reshape(x.shape)
            x = x + dense(p, f"{i}/o", mixed)
            inner = jax.nn.gelu(dense(p, f"{i}/inner", normed(p, f"{i}/b", x)))
            x = x + dense(p, f"{i}/outer", inner)
        return normed(p, "norm", x) @ p["tokens"].T

    equal = [[f"{i}/inner", f"{i}/outer", f"{i}/b/scale"] for i in range(12)]
    return Large(apply_fn, p, jnp.arange(16)[None], 124_439_808, equal)


def llama() -> Large:
    """12 layers of RMSNorm, rotary embedding, grouped heads and SwiGLU."""
    p, width, hidden_width = Params(), 256, 688
    p.kernel("tokens", 1000, width)
    for i in range(12):
        p.ones(f"{i}/a", width)
        p.kernel(f"{i}/q", width, 8, 32)
        p.kernel(f"{i}/k", width, 2, 32)
        p.kernel(f"{i}/v", width, 2, 32)
        p.kernel(f"{i}/o", 8, 32, width)
        p.ones(f"{i}/b", width)
        p.kernel(f"{i}/gate", width, hidden_width)
        p.kernel(f"{i}/up", width, hidden_width)
        p.kernel(f"{i}/down", hidden_width, width)
    p.ones("norm", width)
    p.kernel("head", width, 1000)

    def apply_fn(p: Any, ids: jax.Array) -> jax.Array:
        x, length = p["tokens"][ids], ids.shape[1]
        hidden = jnp.tril(jnp.ones((1, 1, length, length), bool))
        for i in range(12):
            y = rms_norm(x, p[f"{i}/a"])
            q, k, v = (jnp.einsum("nte,ehd->nthd", y, p[f"{i}/{name}"]) for name in "qkv")
            k, v = jnp.repeat(rotated(k), 4, 2), jnp.repeat(v, 4, 2)
            logits = jnp.einsum("nqhd,nkhd->nhqk", rotated(q), k) / 32**0.5
            weights = jax.nn.softmax(jnp.where(hidden, logits, -1e30))
            x = x + jnp.einsum("nhqk,nkhd,hde->nqe", weights, v, p[f"{i}/o"])
            y = rms_norm(x, p[f"{i}/b"])
            x = x + (jax.nn.silu(y @ p[f"{i}/gate"]) * (y @ p[f"{i}/up"])) @ p[f"{i}/down"]
        return rms_norm(x, p["norm"]) @ p["head"]

    equal = [[f"{i}/{name}" for name in "aqkvo"] for i in range(12)]
    equal += [[f"{i}/{name}" for name in ("b", "gate", "up", "down")] for i in range(12)]
    return Large(apply_fn, p, jnp.arange(16)[None], None, [*equal, ["tokens", "norm", "head"]])


NETWORKS: dict[str, Callable[[], Large]] = {
    "ConvNeXt-T": convnext_tiny,
    "EfficientNet-B0": efficientnet_b0,
    "GPT-2": gpt2,
    "Llama": llama,
}
