"""Pruning in PyTorch the usual way: masked layers, autograd, one k-th value over all scores.

Every round joins the scores of all layers into one tensor and keeps what lies above its k-th
value.
"""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]

from benchmarks.pytorch.networks import masked_layers, tensor

TEMPERATURE = 200.0
"""GraSP divides the logits by it."""

Scores = Callable[[Any], list[Any]]
"""The scores of a network's masked layers."""


def use_all_cores() -> None:
    """As JAX does by itself."""
    torch.set_num_threads(os.cpu_count() or 1)


def image_tensor(array: Any) -> Any:
    """Images (N, H, W, C) as (N, C, H, W)."""
    return tensor(np.moveaxis(np.asarray(array), -1, 1))


def batch_tensors(batch: tuple[Any, Any]) -> tuple[Any, Any]:
    """Images and integer labels."""
    inputs, labels = batch
    return image_tensor(inputs), tensor(np.asarray(labels, np.int64))


def prune(network: Any, scores: Scores, compression: float, rounds: int) -> None:
    """Sets the masks to those of ``rounds`` rounds with the exponential schedule."""
    layers = masked_layers(network)
    for layer in layers:
        layer.mask.fill_(1)
    weights = sum(layer.mask.numel() for layer in layers)
    for index in range(1, rounds + 1):
        density = compression ** -(index / rounds)
        cut(layers, scores(network), math.floor((1 - density) * weights))


def cut(layers: list[Any], scores: list[Any], count: int) -> None:
    """Takes the ``count`` lowest scores away, and what is as low as the highest of them."""
    if not count:
        return
    joined = torch.cat([score.flatten() for score in scores])
    threshold = torch.kthvalue(joined, count).values
    for layer, score in zip(layers, scores, strict=True):
        layer.mask.copy_(score > threshold)


def synflow(inputs: Any, scale: float = 1.0) -> Scores:
    """``|w| dR/d|w|`` with R the sum of the outputs of the network in absolute value.

    ``scale`` multiplies the inputs and R. Without biases, as in a new network, it changes no order
    of the scores, and a small one keeps a deep network's within float32.
    """

    def scores(network: Any) -> list[Any]:
        with magnitudes(network):
            return weight_times_gradient(network, scale * network(scale * inputs).sum())

    return scores


def snip(inputs: Any, labels: Any) -> Scores:
    """``|w dL/dw|`` with L the cross-entropy."""

    def scores(network: Any) -> list[Any]:
        return weight_times_gradient(network, functional.cross_entropy(network(inputs), labels))

    return scores


def grasp(inputs: Any, labels: Any) -> Scores:
    """``w (H g)`` with gradient g and Hessian H of the cross-entropy, by a double backward pass."""

    def scores(network: Any) -> list[Any]:
        layers = masked_layers(network)
        weights = [layer.weight for layer in layers]
        loss = functional.cross_entropy(network(inputs) / TEMPERATURE, labels)
        gradients = torch.autograd.grad(loss, weights, create_graph=True)
        inner = torch.stack([(g.detach() * g).sum() for g in gradients]).sum()
        products = torch.autograd.grad(inner, weights)
        return [w.detach() * h for w, h in zip(weights, products, strict=True)]

    return scores


def weight_times_gradient(network: Any, output: Any) -> list[Any]:
    """``|w d output/dw|`` of the masked layers; a mask's zeros are in the gradient already."""
    weights = [layer.weight for layer in masked_layers(network)]
    gradients = torch.autograd.grad(output, weights)
    return [(w.detach() * g).abs_() for w, g in zip(weights, gradients, strict=True)]


@contextmanager
def magnitudes(network: Any) -> Iterator[None]:
    """Parameters in absolute value for a while; a new network's statistics aren't negative."""
    parameters = list(network.parameters())
    signed = [each.data for each in parameters]
    for each in parameters:
        each.data = each.data.abs()
    try:
        yield
    finally:
        for each, data in zip(parameters, signed, strict=True):
            each.data = data


def all_finite(scores: list[Any]) -> bool:
    """Neither infinite nor NaN."""
    return all(bool(torch.isfinite(score).all()) for score in scores)
