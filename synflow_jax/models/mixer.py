"""MLP-Mixers: dense layers over the patches of an image and over their channels in turns."""

from dataclasses import dataclass

import jax
from flax import nnx
from jax.nn.initializers import lecun_normal, zeros

from synflow_jax.models.layers import Activation, Init, dense
from synflow_jax.models.tokens import MLP, Patches, token_count

INIT = lecun_normal()


@dataclass(frozen=True)
class MixerPlan:
    """The layout of a `Mixer`.

    Attributes:
        patch: height and width of a patch.
        width: channels, the numbers a token has.
        layers: how many blocks.
        token_hidden: width between the two dense layers over tokens.
        channel_hidden: width between the two dense layers over channels.

    >>> from synflow_jax.models import MixerPlan
    >>> MixerPlan(patch=16, width=512, layers=8, token_hidden=256, channel_hidden=2048).layers
    8
    """

    patch: int
    width: int
    layers: int
    token_hidden: int
    channel_hidden: int


class Mixer(nnx.Module):
    """A token for each patch, blocks, the tokens' average, an output layer.

    Tolstikhin et al. 2021, arXiv:2105.01601. Kernels are normal with variance 1 / fan_in, cut off
    at two standard deviations, biases 0. The paper's output layer starts at zeros, which leave no
    path; here it starts as the others do.

    Args:
        plan: the layout.
        input_shape: height, width and channels of an image.
        num_classes: how many logits.
        activation: between two dense layers.
        dense_classifier: hold the last kernel flat, so that it isn't pruned.
        rngs: where the random numbers come from.

    Raises:
        ValueError: patches don't cover the images.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> from flax import nnx
    >>> plan = sf.models.MixerPlan(patch=2, width=8, layers=1, token_hidden=8, channel_hidden=16)
    >>> model = sf.models.Mixer(plan, (8, 8, 1), 10, rngs=nnx.Rngs(0))
    >>> model(jnp.ones((3, 8, 8, 1))).shape
    (3, 10)
    """

    def __init__(
        self,
        plan: MixerPlan,
        input_shape: tuple[int, int, int],
        num_classes: int,
        *,
        activation: Activation = nnx.gelu,
        dense_classifier: bool = False,
        rngs: nnx.Rngs,
    ):
        tokens = token_count(plan.patch, input_shape)
        self.patches = Patches(plan.patch, input_shape[-1], plan.width, init=INIT, rngs=rngs)
        self.blocks = nnx.List(
            [Block(plan, tokens, activation=activation, rngs=rngs) for _ in range(plan.layers)]
        )
        self.norm = nnx.LayerNorm(plan.width, rngs=rngs)
        last, init = (plan.width, num_classes), Init(INIT, lambda _: zeros)
        self.output = dense(last, init, pruned=not dense_classifier, rngs=rngs)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        x = self.patches(inputs)
        for block in self.blocks:
            x = block(x)
        return self.output(self.norm(x).mean(1))


class Block(nnx.Module):
    """Two dense layers over tokens, then two over channels, each after LayerNorm and added."""

    def __init__(self, plan: MixerPlan, tokens: int, *, activation: Activation, rngs: nnx.Rngs):
        options = {"activation": activation, "init": INIT, "rngs": rngs}
        self.token_norm = nnx.LayerNorm(plan.width, rngs=rngs)
        self.tokens = MLP(tokens, plan.token_hidden, **options)
        self.channel_norm = nnx.LayerNorm(plan.width, rngs=rngs)
        self.channels = MLP(plan.width, plan.channel_hidden, **options)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.tokens(self.token_norm(x).swapaxes(1, 2)).swapaxes(1, 2)
        return x + self.channels(self.channel_norm(x))
