"""Small vision transformers and a small MLP-Mixer, for 8x8 images in patches of 2x2."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import truncated_normal

import synflow_jax as sf

VIT = sf.models.ViTPlan(patch=2, width=32, layers=3, heads=4, hidden=64)
MIXER = sf.models.MixerPlan(patch=2, width=32, layers=3, token_hidden=32, channel_hidden=64)


def small_vit(
    classes: int,
    image_shape: tuple[int, int, int],
    *,
    deviation: float = VIT.width**-0.5,
    rngs: nnx.Rngs,
) -> sf.models.ViT:
    """``(n, 8, 8, 1)`` images to ``(n, classes)`` logits, through 3 blocks on 17 tokens.

    Kernels are normal with standard deviation 1 / sqrt(width): the 0.02 of published networks,
    which are 192 wide or more, is little here, and such a network learns slowly.
    """
    init = VIT.init._replace(kernel=truncated_normal(deviation))
    return sf.models.ViT(replace(VIT, init=init), image_shape, classes, rngs=rngs)


def small_mixer(
    classes: int, image_shape: tuple[int, int, int], *, rngs: nnx.Rngs
) -> sf.models.Mixer:
    """``(n, 8, 8, 1)`` images to ``(n, classes)`` logits, through 3 blocks on 16 tokens."""
    return sf.models.Mixer(MIXER, image_shape, classes, rngs=rngs)


class Scale(nnx.Module):
    """What is left of LayerNorm without its statistics and its shift."""

    def __init__(self, norm: nnx.LayerNorm):
        self.scale: Any = norm.scale
        self.bias = norm.bias

    def __call__(self, x: jax.Array) -> jax.Array:
        return x * self.scale


class Mean(nnx.Module):
    """Attention whose weights are all 1 / tokens; its queries and keys are of no use."""

    def __init__(self, attention: Any):
        self.query, self.key = attention.query, attention.key
        self.value, self.output = attention.value, attention.output

    def __call__(self, x: jax.Array) -> jax.Array:
        value = self.value(x)
        return self.output(jnp.broadcast_to(value.mean(1, keepdims=True), value.shape))


def made_homogeneous(model: Any) -> Any:
    """The same network, with the same params, as one that SynFlow takes without being told how.

    LayerNorm is its scale alone, and attention the mean over tokens.
    """
    model = nnx.clone(model)
    for _, module in list(nnx.iter_modules(model)):
        for name, child in list(vars(module).items()):
            if isinstance(child, nnx.LayerNorm):
                setattr(module, name, Scale(child))
            elif isinstance(child, nnx.Module) and hasattr(child, "query"):
                setattr(module, name, Mean(child))
    return model
