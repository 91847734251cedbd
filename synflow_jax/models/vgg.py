"""Feed-forward networks: stages of 3x3 convolutions, then dense layers. VGG is the best known."""

import math
from dataclasses import dataclass
from itertools import accumulate

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from synflow_jax.models.layers import Activation, Init, conv, dense, norm


@dataclass(frozen=True)
class VGGPlan:
    """The layout of a `VGG`.

    Attributes:
        stages: the widths of each stage's convolutions.
        pools: how many of the first stages end in a 2x2 max-pool.
        batch_norm: whether a BatchNorm follows each convolution.
        mean_size: the feature map is averaged to this height and width before the dense layers;
            None leaves it as it is.
        hidden: widths of the dense layers before the last one.
        dropout: rate after each hidden dense layer.
        conv_init: how convolutions start.
        dense_init: how dense layers start.
    """

    stages: tuple[tuple[int, ...], ...]
    pools: int
    batch_norm: bool
    mean_size: int | None
    hidden: tuple[int, ...]
    dropout: float
    conv_init: Init
    dense_init: Init


class VGG(nnx.Module):
    """Convolutions, hidden dense layers and an output layer.

    Simonyan & Zisserman 2015, arXiv:1409.1556.
    """

    def __init__(
        self,
        plan: VGGPlan,
        input_shape: tuple[int, int, int],
        num_classes: int,
        *,
        activation: Activation = nnx.relu,
        dense_classifier: bool = False,
        rngs: nnx.Rngs,
    ):
        self.activation, self.mean_size = activation, plan.mean_size
        self.pool_after = tuple(accumulate(len(stage) for stage in plan.stages[: plan.pools]))
        before_dense = feature_map(plan, input_shape)
        self.map_size = before_dense[:2]
        widths = [width for stage in plan.stages for width in stage]
        self.convs = nnx.List(
            [
                conv(pair, 3, plan.conv_init, use_bias=True, rngs=rngs)
                for pair in zip([input_shape[-1], *widths], widths, strict=False)
            ]
        )
        self.norms = nnx.List([norm(width, rngs=rngs) for width in widths if plan.batch_norm])
        features = [math.prod(before_dense), *plan.hidden]
        self.dense = nnx.List(
            [
                dense(pair, plan.dense_init, rngs=rngs)
                for pair in zip(features, plan.hidden, strict=False)
            ]
        )
        self.dropout = nnx.Dropout(plan.dropout, rngs=rngs if plan.dropout else None)
        last = (features[-1], num_classes)
        self.output = dense(last, plan.dense_init, pruned=not dense_classifier, rngs=rngs)

    @property
    def feature_map(self) -> tuple[int, int, int]:
        """Height, width and channels of what reaches the dense layers."""
        first = [*self.dense, self.output][0]
        return *self.map_size, first.in_features // math.prod(self.map_size)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        x = inputs
        for index, layer in enumerate(self.convs):
            x = layer(x)
            x = self.activation(self.norms[index](x) if self.norms else x)
            if index + 1 in self.pool_after:
                x = nnx.max_pool(x, (2, 2), strides=(2, 2))
        if self.mean_size is not None:
            x = mean_pool(x, self.mean_size)
        x = x.reshape(x.shape[0], -1)
        for layer in self.dense:
            x = self.dropout(self.activation(layer(x)))
        return self.output(x)


def feature_map(plan: VGGPlan, input_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Height, width and channels of what reaches the dense layers."""
    *size, channels = input_shape
    shrink = 2**plan.pools
    if min(size) < shrink:
        raise ValueError(
            f"{plan.pools} 2x2 max-pools need inputs of at least {shrink}x{shrink}, "
            f"got input_shape={input_shape}"
        )
    height, width = (plan.mean_size or side // shrink for side in size)
    return height, width, plan.stages[-1][-1] if plan.stages else channels


def mean_pool(x: jax.Array, size: int) -> jax.Array:
    """Averages of ``x`` (N, H, W, C) over ``size`` x ``size`` bins that cover it evenly.

    Bin i covers the rows floor(i * H / size) to ceil((i + 1) * H / size), columns alike, as in
    PyTorch's adaptive average pooling; bins overlap where H isn't a multiple of size.
    """
    if x.shape[1:3] == (size, size):
        return x
    if size == 1:
        return jnp.mean(x, axis=(1, 2), keepdims=True)
    rows, columns = (jnp.asarray(_bins(side, size), x.dtype) for side in x.shape[1:3])
    return jnp.einsum("ih,nhwc,jw->nijc", rows, x, columns)


def _bins(side: int, size: int) -> np.ndarray:
    index, position = np.arange(size)[:, None], np.arange(side)
    inside = (position >= index * side // size) & (position < -((-(index + 1) * side) // size))
    return inside / inside.sum(axis=1, keepdims=True)
