"""The golden files' networks in plain JAX, over a flat dict of params named as in the files."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

GOLDEN = Path(__file__).parent / "golden"


class Golden(NamedTuple):
    """One golden file: its arrays, its network, and the kept counts of its masks."""

    arrays: dict[str, np.ndarray]
    kept: dict[str, dict[str, int]]
    apply_fn: Callable[[Any, jax.Array], jax.Array]
    params: dict[str, jax.Array]

    @property
    def batch(self) -> tuple[jax.Array, jax.Array]:
        dtype = next(iter(self.params.values())).dtype
        return jnp.asarray(self.arrays["inputs"], dtype), jnp.asarray(self.arrays["labels"])

    @property
    def ones(self) -> jax.Array:
        return jnp.ones_like(self.batch[0][:1])

    def mask(self, method: str, rounds: int, log10_compression: str, name: str) -> np.ndarray:
        packed = self.arrays[f"masks/{method}/{rounds}/{log10_compression}/{name}"]
        return unpacked(packed, self.params[name].shape)

    def prunable(self, path: str, leaf: Any) -> bool:
        """The reference's prunable layers; its identity shortcuts have kernels but aren't."""
        del leaf
        return path in next(iter(self.kept.values()))


def unpacked(packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.unpackbits(packed, count=math.prod(shape)).astype(bool).reshape(shape)


def load(name: str, dtype: Any) -> Golden:
    arrays = dict(np.load(GOLDEN / f"{name}.npz"))
    details = json.loads((GOLDEN / f"{name}.json").read_text())
    params = {n: jnp.asarray(arrays[f"params/{n}"], dtype) for n in details["order"]}
    return Golden(arrays, details["kept"], APPLY[name], params)


def mlp(params: Any, x: jax.Array) -> jax.Array:
    x = x.reshape(len(x), -1)
    for i in (1, 3, 5):
        x = jax.nn.relu(_dense(params, str(i), x))
    return _dense(params, "7", x)


def conv(params: Any, x: jax.Array) -> jax.Array:
    for i in (0, 2):
        x = jax.nn.relu(_conv(params, str(i), x) + params[f"{i}.bias"].reshape(1, 1, 1, -1))
    return _dense(params, "5", x.transpose(0, 3, 1, 2).reshape(len(x), -1))


def resnet20(params: Any, x: jax.Array) -> jax.Array:
    x = jax.nn.relu(_norm(params, "bn", _conv(params, "conv", x)))
    for i in range(9):
        block, stride = f"blocks.{i}", 2 if i in (3, 6) else 1
        y = jax.nn.relu(_norm(params, f"{block}.bn1", _conv(params, f"{block}.conv1", x, stride)))
        y = _norm(params, f"{block}.bn2", _conv(params, f"{block}.conv2", y))
        if stride == 2:
            shortcut = _conv(params, f"{block}.shortcut.0", x, stride)
            x = _norm(params, f"{block}.shortcut.1", shortcut)
        else:
            x = x * params[f"{block}.shortcut.weight"].reshape(1, 1, 1, -1)
        x = jax.nn.relu(x + y)
    return _dense(params, "fc", jnp.mean(x, axis=(1, 2)))


def train_bn(params: Any, x: jax.Array) -> jax.Array:
    """3x3 convolutions 8-M-16-M-32-512-M with BatchNorm on the batch's own statistics."""
    for i in (0, 2, 4, 5):
        x = _conv(params, f"layers.{i}.conv", x)
        x = x + params[f"layers.{i}.conv.bias"].reshape(1, 1, 1, -1)
        mean, variance = (f(x, (0, 1, 2), keepdims=True) for f in (jnp.mean, jnp.var))
        x = jax.nn.relu(_norm(params, f"layers.{i}.bn", x, mean, variance))
        if i != 4:
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return _dense(params, "fc", jnp.mean(x, axis=(1, 2)))


APPLY = {"mlp": mlp, "conv": conv, "resnet20": resnet20}


def _dense(params: Any, name: str, x: jax.Array) -> jax.Array:
    return x @ params[f"{name}.weight"] + params[f"{name}.bias"].reshape(1, -1)


def _conv(params: Any, name: str, x: jax.Array, stride: int = 1) -> jax.Array:
    kernel = params[f"{name}.weight"]
    padding = [(kernel.shape[0] // 2,) * 2] * 2
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _norm(params: Any, name: str, x: jax.Array, mean: Any = 0.0, variance: Any = 1.0) -> jax.Array:
    scale, bias = (params[f"{name}.{part}"].reshape(1, 1, 1, -1) for part in ("weight", "bias"))
    return (x - mean) / jnp.sqrt(variance + 1e-5) * scale + bias
