"""Any network of the experiments by its name. To add one, add its row to `NETWORKS`."""

from collections.abc import Callable
from functools import partial

from flax import nnx

import synflow_jax as sf
from experiments.networks.lenet import LeNet300, SmallConv
from experiments.networks.small import WIDE, SmallMLP, SmallVGG
from experiments.networks.small_transformers import small_mixer, small_vit

NETWORKS: dict[str, Callable[..., nnx.Module]] = {
    "small-vgg": SmallVGG,
    "wide-vgg": partial(SmallVGG, stages=WIDE),
    "small-mlp": SmallMLP,
    "lenet-300-100": LeNet300,
    "small-conv": SmallConv,
    "plain-conv": partial(SmallConv, channels=(16, 16, 32, 32), hidden=(64, 32)),
    "conv-2": partial(SmallConv, channels=(64, 64), hidden=(256, 256)),
    "small-vit": small_vit,
    "small-vit-0.02": partial(small_vit, deviation=0.02),
    "small-mixer": small_mixer,
}


def create_network(
    name: str, *, classes: int, input_shape: tuple[int, int, int], rngs: nnx.Rngs
) -> nnx.Module:
    """A network of the experiments or of the zoo, untrained.

    Raises:
        ValueError: there is no network of that name, or it isn't for such images.
    """
    if name in NETWORKS:
        return NETWORKS[name](classes, input_shape, rngs=rngs)
    return sf.models.create(name, num_classes=classes, input_shape=input_shape, rngs=rngs)
