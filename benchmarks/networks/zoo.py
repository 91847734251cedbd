"""Networks of `sf.models` that are measured, with what `sf.prune` takes of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

import synflow_jax as sf


class Network(NamedTuple):
    """Which network: its name in `sf.models`, number of classes, an image's height and width."""

    name: str
    classes: int
    side: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """An image's: height, width and channels."""
        return self.side, self.side, 3


SMALL = Network("default/conv", 10, 32)
VGG16 = Network("lottery/vgg16-bn", 100, 32)
VGG16_CIFAR10 = VGG16._replace(classes=10)
VGG19 = Network("imagenet/vgg19", 1000, 224)
RESNET18 = Network("tinyimagenet/resnet18", 200, 64)
RESNET20 = Network("lottery/resnet20", 10, 32)
RESNET50 = Network("imagenet/resnet50", 1000, 224)
RESNET110 = Network("lottery/resnet110", 10, 32)


class Made(NamedTuple):
    """A network with weights.

    Attributes:
        model: the Flax module, which the PyTorch side is built from.
        apply_fn: it as a function.
        params: its parameters.
        inputs: a batch of one image of ones.
        weights: how many there are to prune.
    """

    model: nnx.Module
    apply_fn: Callable[[Any, Any], Any]
    params: Any
    inputs: jax.Array
    weights: int


def make(network: Network, *, seed: int = 0, dtype: Any = jnp.float32) -> Made:
    """The network as it's initialized, with weights and statistics of ``dtype``."""
    model = sf.models.create(
        network.name,
        num_classes=network.classes,
        input_shape=network.shape,
        rngs=nnx.Rngs(seed),
    )
    arrays = nnx.state(model, (nnx.Param, nnx.BatchStat))
    nnx.update(model, jax.tree.map(lambda x: x.astype(dtype), arrays))
    apply_fn, params = sf.from_nnx(model)
    weights = sum(leaf.size for leaf in jax.tree.leaves(params) if sf.is_kernel("", leaf))
    return Made(model, apply_fn, params, jnp.ones((1, *network.shape), dtype), weights)


def images(network: Network, count: int, dtype: Any = jnp.float32) -> tuple[jax.Array, jax.Array]:
    """Random images and labels, which take as long as any others."""
    inputs = jax.random.normal(jax.random.key(1), (count, *network.shape), dtype)
    return inputs, jax.random.randint(jax.random.key(2), (count,), 0, network.classes)


def with_mask(made: Made, mask: Any) -> nnx.Module:
    """The model with the mask in place of its weights."""
    model = nnx.clone(made.model)
    ones_and_zeros = jax.tree.map(
        lambda m, p: jnp.broadcast_to(m, p.shape).astype(p.dtype), mask, made.params
    )
    nnx.update(model, ones_and_zeros)
    return model
