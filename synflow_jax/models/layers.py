"""The layers that the zoo's networks are built of, and how each family initializes them."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer, zeros

from synflow_jax.models.draws import (
    cut_normal,
    fan_in,
    fan_out,
    kaiming,
    lecun,
    normal,
    uniform,
    uniform_by,
)

Activation = Callable[[jax.Array], jax.Array]


class Init(NamedTuple):
    """How a layer is initialized.

    Attributes:
        kernel: the kernel's initializer.
        bias: makes the bias's initializer for a given fan-in.
    """

    kernel: Initializer
    bias: Callable[[int], Initializer]


def _zero_bias(inputs: int) -> Initializer:
    del inputs
    return zeros


KAIMING_FAN_IN = Init(kaiming(fan_in), _zero_bias)
"""Normal with variance 2 / fan_in (He et al. 2015, arXiv:1502.01852, equation 10); biases 0."""

KAIMING_FAN_OUT = Init(kaiming(fan_out), _zero_bias)
"""Normal with variance 2 / fan_out (He et al. 2015, arXiv:1502.01852, equation 14); biases 0."""

SMALL_NORMAL = Init(normal(0.01), _zero_bias)
"""Normal with standard deviation 0.01; biases 0."""

UNIFORM_FAN_IN = Init(uniform_by(fan_in), lambda inputs: uniform(1 / math.sqrt(inputs)))
"""Uniform within +-1 / sqrt(fan_in), biases too."""


CUT_NORMAL = Init(cut_normal(0.02), _zero_bias)
"""Normal with standard deviation 0.02, cut off at two of them; biases 0."""

LECUN = Init(lecun(fan_in), _zero_bias)
"""Normal with variance 1 / fan_in, cut off at two standard deviations; biases 0."""


class UnprunedLinear(nnx.Module):
    """A dense layer whose kernel is held flat, as ``in_features * out_features`` numbers.

    What has one dimension isn't prunable by `synflow_jax.is_kernel`, so the layer stays dense
    under every method. It computes what ``nnx.Linear`` does, from the same keys.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        kernel_init: Initializer,
        bias_init: Initializer,
        rngs: nnx.Rngs,
    ):
        kernel = kernel_init(rngs.params(), (in_features, out_features), jnp.float32)
        self.kernel = nnx.Param(kernel.ravel())
        self.bias = nnx.Param(bias_init(rngs.params(), (out_features,), jnp.float32))

    @property
    def in_features(self) -> int:
        """How many features it reads."""
        return self.kernel.size // self.out_features

    @property
    def out_features(self) -> int:
        """How many features it puts out."""
        return self.bias.size

    def __call__(self, inputs: jax.Array) -> jax.Array:
        return inputs @ self.kernel.reshape(self.in_features, self.out_features) + self.bias


def conv(
    features: tuple[int, int],
    size: int,
    init: Init,
    *,
    stride: int = 1,
    use_bias: bool = False,
    rngs: nnx.Rngs,
) -> nnx.Conv:
    """A ``size`` x ``size`` convolution, padded alike on all sides by ``size // 2``."""
    return nnx.Conv(
        *features,
        (size, size),
        strides=stride,
        padding=size // 2,
        use_bias=use_bias,
        kernel_init=init.kernel,
        bias_init=init.bias(size * size * features[0]),
        rngs=rngs,
    )


def dense(
    features: tuple[int, int], init: Init, *, pruned: bool = True, rngs: nnx.Rngs
) -> nnx.Linear | UnprunedLinear:
    """A dense layer, prunable or not."""
    layer = nnx.Linear if pruned else UnprunedLinear
    return layer(*features, kernel_init=init.kernel, bias_init=init.bias(features[0]), rngs=rngs)


def norm(features: int, *, rngs: nnx.Rngs) -> nnx.BatchNorm:
    """BatchNorm with scale 1, bias 0, epsilon 1e-5; its averages keep 0.9 of what they were."""
    return nnx.BatchNorm(features, momentum=0.9, epsilon=1e-5, rngs=rngs)
