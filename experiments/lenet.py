"""Networks of the lottery-ticket experiments: LeNet-300-100, and a small convolutional one."""

import itertools
import math

import jax
from flax import nnx

from experiments.network import convolution_by_patches

GLOROT = nnx.initializers.glorot_normal()


class LeNet300(nnx.Module):
    """Dense layers of 300, 100 and ``classes`` units with ReLU (LeCun et al. 1998).

    Kernels are Glorot normal, as in Frankle and Carbin 2019, appendix B.
    """

    def __init__(self, classes: int, image_shape: tuple[int, ...], *, rngs: nnx.Rngs):
        widths = [math.prod(image_shape), 300, 100, classes]
        self.layers = nnx.List(
            nnx.Linear(before, after, kernel_init=GLOROT, rngs=rngs)
            for before, after in itertools.pairwise(widths)
        )

    def __call__(self, images: jax.Array) -> jax.Array:
        x = images.reshape(len(images), -1)
        *hidden, last = self.layers
        for layer in hidden:
            x = nnx.relu(layer(x))
        return last(x)


class SmallConv(nnx.Module):
    """Two 3x3 convolutions of 16 and 32 channels, 2x2 max pooling, and two dense layers.

    A smaller Conv-2 (Frankle and Carbin 2019, figure 2) without BatchNorm, for ``(n, 8, 8, 1)``.
    """

    def __init__(self, classes: int, *, rngs: nnx.Rngs):
        self.convolutions = nnx.List(
            nnx.Conv(
                before,
                after,
                (3, 3),
                conv_general_dilated=convolution_by_patches,
                kernel_init=GLOROT,
                rngs=rngs,
            )
            for before, after in ((1, 16), (16, 32))
        )
        self.hidden = nnx.Linear(32 * 16, 64, kernel_init=GLOROT, rngs=rngs)
        self.last = nnx.Linear(64, classes, kernel_init=GLOROT, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        x = images
        for convolution in self.convolutions:
            x = nnx.relu(convolution(x))
        n, height, width, channels = x.shape
        pooled = x.reshape(n, height // 2, 2, width // 2, 2, channels).max((2, 4))
        return self.last(nnx.relu(self.hidden(pooled.reshape(n, -1))))
