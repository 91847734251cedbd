"""Vision transformers: attention and dense layers on the patches of an image."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer, truncated_normal, zeros

from synflow_jax.models.layers import Activation, Init, dense
from synflow_jax.models.tokens import MLP, Patches, token_count

INIT = truncated_normal(0.02)


@dataclass(frozen=True)
class ViTPlan:
    """The layout of a `ViT`.

    Attributes:
        patch: height and width of a patch.
        width: numbers a token has.
        layers: how many blocks.
        heads: of attention.
        hidden: width between the two dense layers of a block.

    >>> from synflow_jax.models import ViTPlan
    >>> ViTPlan(patch=16, width=192, layers=12, heads=3, hidden=768).heads
    3
    """

    patch: int
    width: int
    layers: int
    heads: int
    hidden: int


class ViT(nnx.Module):
    """A token for each patch and one for the class, learned positions, blocks, an output layer.

    Dosovitskiy et al. 2021, arXiv:2010.11929, initialized as by Touvron et al. 2021,
    arXiv:2012.12877: kernels, positions and the class's token are normal with standard deviation
    0.02, cut off at two, and biases 0. What isn't a kernel has one dimension, so that it isn't
    pruned: biases of heads and positions are held flat.

    Args:
        plan: the layout.
        input_shape: height, width and channels of an image.
        num_classes: how many logits.
        activation: between the two dense layers of a block.
        init: of kernels, positions and the class's token. Networks much narrower than the published
            ones learn faster with a standard deviation of 1 / sqrt(width).
        dense_classifier: hold the last kernel flat, so that it isn't pruned.
        rngs: where the random numbers come from.

    Raises:
        ValueError: patches don't cover the images, or the width isn't a multiple of the heads.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> from flax import nnx
    >>> plan = sf.models.ViTPlan(patch=2, width=8, layers=1, heads=2, hidden=16)
    >>> model = sf.models.ViT(plan, (8, 8, 1), 10, rngs=nnx.Rngs(0))
    >>> model(jnp.ones((3, 8, 8, 1))).shape
    (3, 10)
    """

    def __init__(
        self,
        plan: ViTPlan,
        input_shape: tuple[int, int, int],
        num_classes: int,
        *,
        activation: Activation = nnx.gelu,
        init: Initializer = INIT,
        dense_classifier: bool = False,
        rngs: nnx.Rngs,
    ):
        tokens, width = 1 + token_count(plan.patch, input_shape), plan.width
        if width % plan.heads:
            raise ValueError(
                f"a width of {width} isn't divided by {plan.heads} heads; pass a multiple of them"
            )
        options = {"init": init, "rngs": rngs}
        self.patches = Patches(plan.patch, input_shape[-1], width, **options)
        self.class_token = nnx.Param(init(rngs.params(), (width,), jnp.float32))
        self.positions = nnx.Param(init(rngs.params(), (tokens * width,), jnp.float32))
        self.blocks = nnx.List(
            [Block(plan, activation=activation, **options) for _ in range(plan.layers)]
        )
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        last = Init(init, lambda _: zeros)
        self.output = dense((width, num_classes), last, pruned=not dense_classifier, rngs=rngs)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        x = self.patches(inputs)
        token = jnp.broadcast_to(self.class_token[...], (len(x), 1, x.shape[-1]))
        x = jnp.concatenate([token, x], axis=1)
        x = x + self.positions.reshape(x.shape[1:])
        for block in self.blocks:
            x = block(x)
        return self.output(self.norm(x[:, 0]))


class Block(nnx.Module):
    """Attention, then two dense layers, each after LayerNorm and added to what comes in."""

    def __init__(self, plan: ViTPlan, *, activation: Activation, init: Initializer, rngs: nnx.Rngs):
        self.attention_norm = nnx.LayerNorm(plan.width, rngs=rngs)
        self.attention = Attention(plan.width, plan.heads, init=init, rngs=rngs)
        self.mlp_norm = nnx.LayerNorm(plan.width, rngs=rngs)
        self.mlp = MLP(plan.width, plan.hidden, activation=activation, init=init, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class Attention(nnx.Module):
    """Self-attention with several heads."""

    def __init__(self, width: int, heads: int, *, init: Initializer, rngs: nnx.Rngs):
        size = width // heads
        self.scale = size**-0.5
        self.query, self.key, self.value = (
            Heads(width, heads, size, init=init, rngs=rngs) for _ in range(3)
        )
        self.output = nnx.LinearGeneral(
            (heads, size), width, axis=(-2, -1), kernel_init=init, rngs=rngs
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        logits = jnp.einsum("nqhd,nkhd->nhqk", self.scale * self.query(x), self.key(x))
        weights = jax.nn.softmax(logits)
        return self.output(jnp.einsum("nhqk,nkhd->nqhd", weights, self.value(x)))


class Heads(nnx.Module):
    """A dense layer to heads, ``(N, tokens, width)`` to ``(N, tokens, heads, size)``."""

    def __init__(self, width: int, heads: int, size: int, *, init: Initializer, rngs: nnx.Rngs):
        kernel = init(rngs.params(), (width, heads, size), jnp.float32)
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(jnp.zeros(heads * size))

    def __call__(self, x: jax.Array) -> jax.Array:
        bias = self.bias.reshape(self.kernel.shape[1:])
        return jnp.einsum("ntd,dhk->nthk", x, self.kernel[...]) + bias
