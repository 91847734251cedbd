"""A network of the zoo in PyTorch, with the same weights, and a mask in each layer.

Layers and models of Flax are told by their attributes, those of PyTorch are of type Any, since
PyTorch is an extra.
"""

from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]


class MaskedConv(nn.Module):
    """A convolution whose weight, OIHW, is multiplied by a mask of its shape."""

    def __init__(self, layer: Any):
        super().__init__()
        self.weight = parameter(np.transpose(np.asarray(layer.kernel[...]), (3, 2, 0, 1)))
        self.bias = None if layer.bias is None else parameter(layer.bias[...])
        self.register_buffer("mask", torch.ones_like(self.weight))
        self.stride, self.padding = layer.strides, layer.padding

    def forward(self, x: Any) -> Any:
        weight = self.weight * self.mask
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding)


class MaskedDense(nn.Module):
    """A dense layer whose weight, (out, in), is multiplied by a mask of its shape."""

    def __init__(self, layer: Any, feature_map: tuple[int, int, int] | None = None):
        """``feature_map``: height, width and channels of what the layer is fed, flattened."""
        super().__init__()
        kernel = np.asarray(layer.kernel[...])
        by_position = kernel.reshape(*(feature_map or (1, 1, len(kernel))), -1)
        channels_first = by_position.transpose(3, 2, 0, 1)
        self.weight = parameter(channels_first.reshape(kernel.shape[::-1]))
        self.bias = None if layer.bias is None else parameter(layer.bias[...])
        self.register_buffer("mask", torch.ones_like(self.weight))

    def forward(self, x: Any) -> Any:
        return functional.linear(x, self.weight * self.mask, self.bias)


class Residual(nn.Module):
    """The positive part of ``shortcut(x) + body(x)``."""

    def __init__(self, body: Any, shortcut: Any):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Any) -> Any:
        return functional.relu(self.shortcut(x) + self.body(x))


def torch_network(model: Any) -> Any:
    """The PyTorch network of a model from `sf.models.create`, in inference mode."""
    network = residual_network(model) if hasattr(model, "blocks") else plain_network(model)
    return network.eval()


def masked_layers(network: Any) -> list[Any]:
    """The layers to prune."""
    return [layer for layer in network.modules() if isinstance(layer, MaskedConv | MaskedDense)]


def plain_network(model: Any) -> Any:
    """Convolutions and pools, then dense layers."""
    layers: list[Any] = []
    for index, conv in enumerate(model.convs):
        layers.append(MaskedConv(conv))
        if model.norms:
            layers.append(batch_norm(model.norms[index]))
        layers.append(nn.ReLU())
        if index + 1 in model.pool_after:
            layers.append(nn.MaxPool2d(2))
    if model.mean_size is not None:
        layers.append(nn.AdaptiveAvgPool2d(model.mean_size))
    layers.append(nn.Flatten())
    first, *others = [*model.dense, model.output]
    layers.append(MaskedDense(first, model.feature_map))
    for dense in others:
        layers += [nn.ReLU(), MaskedDense(dense)]
    return nn.Sequential(*layers)


def residual_network(model: Any) -> Any:
    """A first convolution, residual blocks, the average over positions, a dense layer."""
    layers = [*conv_and_norm(model.conv, model.norm), nn.ReLU()]
    if model.large_stem:
        layers.append(nn.MaxPool2d(3, stride=2, padding=1))
    layers += [residual_block(block) for block in model.blocks]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), MaskedDense(model.output)]
    return nn.Sequential(*layers)


def residual_block(block: Any) -> Residual:
    """Two or three convolutions beside the shortcut."""
    body = [*conv_and_norm(block.conv1, block.norm1), nn.ReLU()]
    body += conv_and_norm(block.conv2, block.norm2)
    if block.conv3 is not None:
        body += [nn.ReLU(), *conv_and_norm(block.conv3, block.norm3)]
    shortcut = (
        nn.Identity()
        if block.shortcut is None
        else nn.Sequential(*conv_and_norm(block.shortcut, block.shortcut_norm))
    )
    return Residual(nn.Sequential(*body), shortcut)


def conv_and_norm(conv: Any, norm: Any) -> list[Any]:
    """A convolution and the BatchNorm behind it."""
    return [MaskedConv(conv), batch_norm(norm)]


def batch_norm(layer: Any) -> Any:
    """BatchNorm with the same parameters and running statistics."""
    made = nn.BatchNorm2d(layer.num_features, eps=layer.epsilon)
    made.weight, made.bias = parameter(layer.scale[...]), parameter(layer.bias[...])
    made.running_mean, made.running_var = tensor(layer.mean[...]), tensor(layer.var[...])
    return made


def tensor(array: Any) -> Any:
    """A copy of the numbers in PyTorch."""
    return torch.from_numpy(np.array(array, order="C"))


def parameter(array: Any) -> Any:
    """A copy that PyTorch can differentiate by."""
    return nn.Parameter(tensor(array))
