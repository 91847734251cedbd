"""Networks of the lottery-ticket experiments: LeNet-300-100, and a small convolutional one."""

import itertools
import math
from collections.abc import Sequence

import jax
from flax import nnx

from experiments.networks.small import convolution_by_patches

GLOROT = nnx.initializers.glorot_normal()


class LeNet300(nnx.Module):
    """Dense layers of 300, 100 and ``classes`` units with ReLU (LeCun et al. 1998).

    Kernels are Glorot normal, as in Frankle and Carbin 2019, appendix B.
    """

    def __init__(self, classes: int, image_shape: tuple[int, ...], *, rngs: nnx.Rngs):
        widths = [math.prod(image_shape), 300, 100, classes]
        self.layers = nnx.List(
            nnx.Linear(*pair, kernel_init=GLOROT, rngs=rngs) for pair in itertools.pairwise(widths)
        )

    def __call__(self, images: jax.Array) -> jax.Array:
        return _dense(self.layers, images.reshape(len(images), -1))


class SmallConv(nnx.Module):
    """3x3 convolutions, 2x2 max pooling and dense layers, with biases and without BatchNorm.

    With channels (64, 64) and hidden (256, 256) it's Conv-2 (Frankle and Carbin 2019, figure 2).
    """

    def __init__(
        self,
        classes: int,
        image_shape: tuple[int, ...],
        *,
        rngs: nnx.Rngs,
        channels: Sequence[int] = (16, 32),
        hidden: Sequence[int] = (64,),
    ):
        rows, columns, colors = image_shape
        if rows % 2 or columns % 2:
            raise ValueError(f"images must have even sides, got {image_shape}")
        self.convolutions = nnx.List(
            nnx.Conv(
                *pair,
                (3, 3),
                conv_general_dilated=convolution_by_patches,
                kernel_init=GLOROT,
                rngs=rngs,
            )
            for pair in itertools.pairwise([colors, *channels])
        )
        widths = [channels[-1] * rows * columns // 4, *hidden, classes]
        self.layers = nnx.List(
            nnx.Linear(*pair, kernel_init=GLOROT, rngs=rngs) for pair in itertools.pairwise(widths)
        )

    def __call__(self, images: jax.Array) -> jax.Array:
        x = images
        for convolution in self.convolutions:
            x = nnx.relu(convolution(x))
        n, height, width, channels = x.shape
        x = x.reshape(n, height // 2, 2, width // 2, 2, channels).max((2, 4)).reshape(n, -1)
        return _dense(self.layers, x)


def _dense(layers: nnx.List, x: jax.Array) -> jax.Array:
    *hidden, last = layers
    for layer in hidden:
        x = nnx.relu(layer(x))
    return last(x)
