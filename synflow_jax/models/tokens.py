"""What networks on patches of images share: their first layer and their inner two dense layers."""

import jax
from flax import nnx
from jax.nn.initializers import Initializer, zeros

from synflow_jax.models.layers import Activation


class Patches(nnx.Module):
    """A dense layer of each patch: images ``(N, H, W, C)`` to ``(N, tokens, width)``."""

    def __init__(self, size: int, channels: int, width: int, *, init: Initializer, rngs: nnx.Rngs):
        self.projection = nnx.Conv(
            channels,
            width,
            (size, size),
            strides=size,
            padding="VALID",
            kernel_init=init,
            bias_init=zeros,
            rngs=rngs,
        )

    def __call__(self, inputs: jax.Array) -> jax.Array:
        x = self.projection(inputs)
        return x.reshape(x.shape[0], -1, x.shape[-1])


class MLP(nnx.Module):
    """Two dense layers over the last axis, an activation between them."""

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        activation: Activation,
        init: Initializer,
        rngs: nnx.Rngs,
    ):
        self.activation = activation
        self.inner = nnx.Linear(width, hidden, kernel_init=init, rngs=rngs)
        self.output = nnx.Linear(hidden, width, kernel_init=init, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.output(self.activation(self.inner(x)))


def token_count(size: int, input_shape: tuple[int, int, int]) -> int:
    """How many patches an image has."""
    height, width, _ = input_shape
    if height % size or width % size:
        raise ValueError(
            f"patches of {size}x{size} must cover the image, got input_shape={input_shape}; pass "
            f"a height and a width that are multiples of {size}"
        )
    return (height // size) * (width // size)
