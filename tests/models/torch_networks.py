"""Networks in PyTorch's names and layouts, in plain JAX."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class TorchState:
    """A state_dict in PyTorch's names and layouts, filled with random numbers."""

    def __init__(self):
        self.arrays: dict[str, np.ndarray] = {}
        self.random = np.random.default_rng(0)

    def conv(self, name, before, after, size, bias=False):
        shape = (after, before, size, size)
        deviation = math.sqrt(2 / math.prod(shape[1:]))
        self.arrays[f"{name}.weight"] = deviation * self.random.standard_normal(shape)
        if bias:
            self.vectors(name, after, "bias")

    def dense(self, name, before, after):
        weight = self.random.standard_normal((after, before)) / math.sqrt(before)
        self.arrays[f"{name}.weight"] = weight
        self.vectors(name, after, "bias")

    def norm(self, name, width):
        self.vectors(name, width, "weight", "bias", "running_mean")
        self.arrays[f"{name}.running_var"] = self.random.uniform(0.5, 1.5, width)
        self.arrays[f"{name}.num_batches_tracked"] = np.array(3)

    def vectors(self, name, width, *kinds):
        for kind in kinds:
            self.arrays[f"{name}.{kind}"] = self.random.uniform(-0.5, 1.0, width)

    def finished(self):
        return {
            name: array if array.dtype == np.int64 else np.float32(array)
            for name, array in self.arrays.items()
        }


def torch_conv(state, name, x, stride=1):
    kernel = state[f"{name}.weight"]
    pad = kernel.shape[-1] // 2
    x = lax.conv_general_dilated(x, kernel, (stride, stride), [(pad, pad)] * 2)
    return x + state[f"{name}.bias"][:, None, None] if f"{name}.bias" in state else x


def torch_norm(state, name, x):
    scale = state[f"{name}.weight"] / jnp.sqrt(state[f"{name}.running_var"] + 1e-5)
    shift = state[f"{name}.bias"] - state[f"{name}.running_mean"] * scale
    return x * scale[:, None, None] + shift[:, None, None]


def torch_dense(state, name, x):
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def torch_max_pool(x, size, pad):
    window, strides = (1, 1, size, size), (1, 1, 2, 2)
    padding = [(0, 0), (0, 0), (pad, pad), (pad, pad)]
    return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, padding)


def vgg11_bn_state():
    state, before = TorchState(), 3
    for position, width in [(0, 64), (4, 128), (8, 256), (11, 256), (15, 512), (18, 512),
                            (22, 512), (25, 512)]:  # fmt: skip
        state.conv(f"features.{position}", before, width, 3, bias=True)
        state.norm(f"features.{position + 1}", width)
        before = width
    for position, (before, width) in {0: (2048, 1024), 3: (1024, 1024), 6: (1024, 10)}.items():
        state.dense(f"classifier.{position}", before, width)
    return state.finished()


def vgg11_bn(state, x):
    for position in (0, 4, 8, 11, 15, 18, 22, 25):
        x = torch_norm(
            state, f"features.{position + 1}", torch_conv(state, f"features.{position}", x)
        )
        x = jax.nn.relu(x)
        if position in (0, 4, 11, 18, 25):
            x = torch_max_pool(x, 2, 0)
    x = x.reshape(len(x), -1)
    for position in (0, 3):
        x = jax.nn.relu(torch_dense(state, f"classifier.{position}", x))
    return torch_dense(state, "classifier.6", x)


def residual_state(bottleneck, depths):
    state, before = TorchState(), 64
    state.conv("conv1", 3, 64, 7)
    state.norm("bn1", 64)
    for stage, depth in enumerate(depths):
        width = 64 * 2**stage
        after = 4 * width if bottleneck else width
        for index in range(depth):
            name = f"layer{stage + 1}.{index}"
            layers = (
                [(before, width, 1), (width, width, 3), (width, after, 1)]
                if bottleneck
                else [(before, width, 3), (width, after, 3)]
            )
            for number, (inputs, outputs, size) in enumerate(layers, start=1):
                state.conv(f"{name}.conv{number}", inputs, outputs, size)
                state.norm(f"{name}.bn{number}", outputs)
            if before != after:
                state.conv(f"{name}.downsample.0", before, after, 1)
                state.norm(f"{name}.downsample.1", after)
            before = after
    state.dense("fc", before, 10)
    return state.finished()


def residual(layout, state, x):
    bottleneck, depths = layout
    x = jax.nn.relu(torch_norm(state, "bn1", torch_conv(state, "conv1", x, 2)))
    x = torch_max_pool(x, 3, 1)
    for stage, depth in enumerate(depths):
        for index in range(depth):
            name = f"layer{stage + 1}.{index}"
            stride = 2 if stage and not index else 1
            strides = (1, stride, 1) if bottleneck else (stride, 1)
            y = x
            for number, step in enumerate(strides, start=1):
                y = torch_conv(state, f"{name}.conv{number}", y, step)
                y = torch_norm(state, f"{name}.bn{number}", y)
                y = jax.nn.relu(y) if number < len(strides) else y
            if f"{name}.downsample.0.weight" in state:
                x = torch_conv(state, f"{name}.downsample.0", x, stride)
                x = torch_norm(state, f"{name}.downsample.1", x)
            x = jax.nn.relu(x + y)
    return torch_dense(state, "fc", x.mean(axis=(2, 3)))
