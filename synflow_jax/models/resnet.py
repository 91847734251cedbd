"""Residual networks: two 3x3 convolutions a block, or a bottleneck of three convolutions."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from synflow_jax.models.layers import Activation, Init, conv, dense, norm

SCAN_FROM = 64
"""From so many equal blocks in a row on they run in one ``lax.scan``. It compiles several times
faster than the blocks one after another, and computes more slowly on a CPU."""


@dataclass(frozen=True)
class ResNetPlan:
    """The layout of a `ResNet`.

    Attributes:
        widths: what the blocks of each stage put out; all stages but the first halve the size.
        depths: how many blocks each stage has.
        inner_widths: the widths within the blocks of each stage.
        bottleneck: whether blocks are 1x1, 3x3, 1x1 convolutions, or two of 3x3.
        stem_width: width of the first convolution.
        large_stem: whether the network begins with a 7x7 convolution of stride 2 and a 3x3
            max-pool of stride 2, or with a 3x3 convolution alone.
        conv_init: how convolutions start.
        dense_init: how the dense layer starts.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    inner_widths: tuple[int, ...]
    bottleneck: bool
    stem_width: int
    large_stem: bool
    conv_init: Init
    dense_init: Init


class Block(nnx.Module):
    """``activation(shortcut(x) + f(x))``; the shortcut is a 1x1 convolution where shapes change."""

    def __init__(
        self,
        features: tuple[int, int, int],
        init: Init,
        *,
        stride: int,
        bottleneck: bool,
        activation: Activation,
        rngs: nnx.Rngs,
    ):
        self.activation = activation
        before, inner, after = features
        middle = inner if bottleneck else after
        first, second = (1, stride) if bottleneck else (stride, 1)
        self.conv1 = conv((before, inner), 1 if bottleneck else 3, init, stride=first, rngs=rngs)
        self.norm1 = norm(inner, rngs=rngs)
        self.conv2 = conv((inner, middle), 3, init, stride=second, rngs=rngs)
        self.norm2 = norm(middle, rngs=rngs)
        self.conv3 = conv((inner, after), 1, init, rngs=rngs) if bottleneck else None
        self.norm3 = norm(after, rngs=rngs) if bottleneck else None
        changes = stride != 1 or before != after
        self.shortcut = (
            conv((before, after), 1, init, stride=stride, rngs=rngs) if changes else None
        )
        self.shortcut_norm = norm(after, rngs=rngs) if changes else None

    def __call__(self, inputs: jax.Array) -> jax.Array:
        x = self.activation(self.norm1(self.conv1(inputs)))
        x = self.norm2(self.conv2(x))
        if self.conv3 is not None and self.norm3 is not None:
            x = self.norm3(self.conv3(self.activation(x)))
        if self.shortcut is not None and self.shortcut_norm is not None:
            inputs = self.shortcut_norm(self.shortcut(inputs))
        return self.activation(inputs + x)


class ResNet(nnx.Module):
    """Stages of residual blocks, an average over all positions, and a dense layer.

    He et al. 2016, arXiv:1512.03385.
    """

    def __init__(
        self,
        plan: ResNetPlan,
        input_shape: tuple[int, int, int],
        num_classes: int,
        *,
        activation: Activation = nnx.relu,
        dense_classifier: bool = False,
        rngs: nnx.Rngs,
    ):
        self.activation, self.depths, self.large_stem = activation, plan.depths, plan.large_stem
        size, stride = (7, 2) if plan.large_stem else (3, 1)
        stem = (input_shape[-1], plan.stem_width)
        self.conv = conv(stem, size, plan.conv_init, stride=stride, rngs=rngs)
        self.norm = norm(plan.stem_width, rngs=rngs)
        self.blocks = nnx.List(
            [
                Block(
                    features,
                    plan.conv_init,
                    stride=stride,
                    bottleneck=plan.bottleneck,
                    activation=activation,
                    rngs=rngs,
                )
                for features, stride in block_shapes(plan)
            ]
        )
        last = (plan.widths[-1], num_classes)
        self.output = dense(last, plan.dense_init, pruned=not dense_classifier, rngs=rngs)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        x = self.activation(self.norm(self.conv(inputs)))
        if self.large_stem:
            padding = ((0, 0), (1, 1), (1, 1), (0, 0))
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), padding)
        start = 0
        for depth in self.depths:
            first, *others = self.blocks[start : start + depth]
            x = apply_equal_blocks(others, first(x))
            start += depth
        return self.output(jnp.mean(x, axis=(1, 2)))


def block_shapes(plan: ResNetPlan) -> list[tuple[tuple[int, int, int], int]]:
    """The widths before, within and after each block, and its stride."""
    shapes, before = [], plan.stem_width
    for stage, (depth, inner, after) in enumerate(
        zip(plan.depths, plan.inner_widths, plan.widths, strict=True)
    ):
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            shapes.append(((before, inner, after), stride))
            before = after
    return shapes


def apply_equal_blocks(blocks: Sequence[Block], x: jax.Array) -> jax.Array:
    """The blocks one after another; many of them as a scan over their stacked parameters."""
    if len(blocks) < SCAN_FROM:
        for block in blocks:
            x = block(x)
        return x
    graph, _ = nnx.split(blocks[0])
    states = [nnx.state(block) for block in blocks]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    training = not blocks[0].norm1.use_running_average

    def step(x: jax.Array, state: nnx.State) -> tuple[jax.Array, nnx.State | None]:
        block = nnx.merge(graph, state)
        x = block(x)
        return x, nnx.state(block, nnx.BatchStat) if training else None

    x, statistics = lax.scan(step, x, stacked)
    if training:
        for index, block in enumerate(blocks):
            nnx.update(block, jax.tree.map(itemgetter(index), statistics))
    return x
