"""Any network of the experiments by its name."""

from functools import partial

from flax import nnx

import synflow_jax as sf
from experiments.lenet import LeNet300, SmallConv
from experiments.network import SmallVGG

LOCAL = {
    "lenet-300-100": LeNet300,
    "small-conv": SmallConv,
    "plain-conv": partial(SmallConv, channels=(16, 16, 32, 32), hidden=(64, 32)),
    "conv-2": partial(SmallConv, channels=(64, 64), hidden=(256, 256)),
}


def create_network(
    name: str, *, classes: int, input_shape: tuple[int, int, int], rngs: nnx.Rngs
) -> nnx.Module:
    """A network of the experiments or of the zoo, untrained.

    Raises:
        ValueError: there is no network of that name, or it isn't for such images.
    """
    if name in LOCAL:
        return LOCAL[name](classes, input_shape, rngs=rngs)
    if name != "small-vgg":
        return sf.models.create(name, num_classes=classes, input_shape=input_shape, rngs=rngs)
    if input_shape != (8, 8, 1):
        raise ValueError(f"small-vgg is for images of shape (8, 8, 1), got {input_shape}")
    return SmallVGG(classes, rngs=rngs)
