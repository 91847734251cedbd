"""Two small networks: a VGG for 8x8 images and one of dense layers."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

# One list of widths for each resolution; a 2x2 max pooling lies between them.
WIDTHS = ((16,), (32, 32), (64, 64, 64))
WIDE = ((128,), (256, 256), (512, 512, 512))


class SmallVGG(nnx.Module):
    """``(n, 8, 8, 1)`` images to ``(n, classes)`` logits, through 6 convolutions and 1 dense layer.

    As in VGG the widths grow as the resolution falls. Convolutions have no biases: BatchNorm's
    take their place.
    """

    def __init__(
        self,
        classes: int,
        image_shape: tuple[int, ...] = (8, 8, 1),
        *,
        stages: tuple[tuple[int, ...], ...] = WIDTHS,
        rngs: nnx.Rngs,
    ):
        if image_shape != (8, 8, 1):
            raise ValueError(f"small-vgg is for images of shape (8, 8, 1), got {image_shape}")
        self.depths = tuple(map(len, stages))
        widths = [width for stage in stages for width in stage]
        self.convolutions = nnx.List(
            nnx.Conv(
                before,
                after,
                (3, 3),
                use_bias=False,
                conv_general_dilated=convolution_by_patches,
                rngs=rngs,
            )
            for before, after in zip([1, *widths], widths, strict=False)
        )
        # Running statistics must follow within the some hundred steps of a short training.
        self.norms = nnx.List(nnx.BatchNorm(width, momentum=0.9, rngs=rngs) for width in widths)
        self.dense = nnx.Linear(widths[-1], classes, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        x, layers = images, zip(self.convolutions, self.norms, strict=True)
        for stage, depth in enumerate(self.depths):
            x = _halve(x) if stage else x
            for _ in range(depth):
                convolution, norm = next(layers)
                x = nnx.relu(norm(convolution(x)))
        return self.dense(x.mean((1, 2)))


class SmallMLP(nnx.Module):
    """``(n, height, width, channels)`` images to ``(n, classes)`` logits: 2 hidden dense layers,
    each with BatchNorm and ReLU. The first has its own weights for each pixel.
    """

    def __init__(
        self, classes: int, image_shape: tuple[int, ...], *, width: int = 100, rngs: nnx.Rngs
    ):
        shapes = ((math.prod(image_shape), width), (width, width))
        self.hidden = nnx.List(nnx.Linear(*shape, use_bias=False, rngs=rngs) for shape in shapes)
        self.norms = nnx.List(nnx.BatchNorm(width, momentum=0.9, rngs=rngs) for _ in shapes)
        self.output = nnx.Linear(width, classes, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        x = images.reshape(len(images), -1)
        for dense, norm in zip(self.hidden, self.norms, strict=True):
            x = nnx.relu(norm(dense(x)))
        return self.output(x)


def convolution_by_patches(
    inputs: jax.Array, kernel: jax.Array, strides: Any, padding: Any, **options: Any
) -> jax.Array:
    """A convolution of stride 1 that keeps the image's size, as one matrix product of patches.

    Inside a compiled loop on a CPU, XLA's own convolutions took 6 times as long for a training
    step of this network (1.0 s an epoch against 0.15 s).
    """
    del padding, options
    if set(strides) != {1}:
        raise ValueError(f"convolution_by_patches takes stride 1 only, got strides={strides}")
    (rows, columns), (height, width) = kernel.shape[:2], inputs.shape[1:3]
    margins = ((rows // 2, (rows - 1) // 2), (columns // 2, (columns - 1) // 2))
    padded = jnp.pad(inputs, ((0, 0), *margins, (0, 0)))
    patches = [
        padded[:, i : i + height, j : j + width] for i in range(rows) for j in range(columns)
    ]
    return jnp.concatenate(patches, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])


def _halve(x: jax.Array) -> jax.Array:
    """2x2 max pooling, by reshaping: its gradient is cheaper than ``nnx.max_pool``'s."""
    n, height, width, channels = x.shape
    return x.reshape(n, height // 2, 2, width // 2, 2, channels).max((2, 4))
