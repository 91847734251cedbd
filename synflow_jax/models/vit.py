"""Vision transformers: attention and dense layers on the patches of an image."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer, zeros

from synflow_jax.models.layers import CUT_NORMAL, Activation, Init, dense
from synflow_jax.models.tokens import MLP, Patches, token_count


@dataclass(frozen=True)
class ViTPlan:
    """The layout of a `ViT`.

    Attributes:
        patch: height and width of a patch.
        width: numbers a token has.
        layers: how many blocks.
        heads: of attention.
        hidden: width between the two dense layers of a block.
        init: how dense layers start.
    """

    patch: int
    width: int
    layers: int
    heads: int
    hidden: int
    init: Init = CUT_NORMAL


class ViT(nnx.Module):
    """A token for each patch and one for the class, learned positions, blocks, an output layer.

    Dosovitskiy et al. 2021, arXiv:2010.11929, initialized as by Touvron et al. 2021,
    arXiv:2012.12877: kernels, positions and the class's token are normal with standard deviation
    0.02, cut off at two, and biases 0. What isn't a kernel has one dimension, so that it isn't
    pruned: biases of heads and positions are held flat.
    """

    def __init__(
        self,
        plan: ViTPlan,
        input_shape: tuple[int, int, int],
        num_classes: int,
        *,
        activation: Activation = nnx.gelu,
        dense_classifier: bool = False,
        rngs: nnx.Rngs,
    ):
        tokens, width = 1 + token_count(plan.patch, input_shape), plan.width
        init = plan.init.kernel
        self.patches = Patches(plan.patch, input_shape[-1], width, init=init, rngs=rngs)
        self.class_token = nnx.Param(init(rngs.params(), (width,), jnp.float32))
        self.positions = nnx.Param(init(rngs.params(), (tokens * width,), jnp.float32))
        self.blocks = nnx.List(
            [Block(plan, activation=activation, rngs=rngs) for _ in range(plan.layers)]
        )
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        last = (width, num_classes)
        self.output = dense(last, plan.init, pruned=not dense_classifier, rngs=rngs)

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

    def __init__(self, plan: ViTPlan, *, activation: Activation, rngs: nnx.Rngs):
        self.attention_norm = nnx.LayerNorm(plan.width, rngs=rngs)
        self.attention = Attention(plan.width, plan.heads, init=plan.init.kernel, rngs=rngs)
        self.mlp_norm = nnx.LayerNorm(plan.width, rngs=rngs)
        options = {"activation": activation, "init": plan.init.kernel, "rngs": rngs}
        self.mlp = MLP(plan.width, plan.hidden, **options)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class Attention(nnx.Module):
    """Self-attention with several heads."""

    def __init__(self, width: int, heads: int, *, init: Initializer, rngs: nnx.Rngs):
        size = width // heads
        self.scale = size**-0.5
        self.query = Heads(width, heads, size, init=init, rngs=rngs)
        self.key = Heads(width, heads, size, init=init, rngs=rngs)
        self.value = Heads(width, heads, size, init=init, rngs=rngs)
        self.output = Joined(width, heads, size, init=init, rngs=rngs)

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


class Joined(nnx.Module):
    """A dense layer of all heads, ``(N, tokens, heads, size)`` to ``(N, tokens, width)``."""

    def __init__(self, width: int, heads: int, size: int, *, init: Initializer, rngs: nnx.Rngs):
        self.kernel = nnx.Param(init(rngs.params(), (heads, size, width), jnp.float32))
        self.bias = nnx.Param(zeros(rngs.params(), (width,), jnp.float32))

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.einsum("nthk,hkd->ntd", x, self.kernel[...]) + self.bias
