"""Digits in the middle of a larger image whose other pixels say nothing about them."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from experiments.data import Batch, DataSet, Examples, load
from experiments.data.digits import split_digits

Padding = Literal["none", "black", "noise"]


def padded_digits(padding: Padding, side: int, key: jax.Array) -> DataSet:
    """The digits from 0 to 1 in the middle of images of this side, and what surrounds them."""
    parts = split_digits()
    mean = float(parts[0].images.mean() / 16)

    def part(pixels: Batch, key: jax.Array) -> Examples:
        shape = (len(pixels.labels), side, side, 1)
        around = jnp.zeros(shape)
        if padding == "noise":
            around = jax.random.uniform(key, shape, maxval=2 * mean)
        middle = _middle(side)
        images = around.at[:, middle, middle].set(jnp.asarray(pixels.images / 16, jnp.float32))
        return Examples(images, jnp.asarray(pixels.labels))

    train, test = map(part, parts, jax.random.split(key))
    return load("digits")._replace(train=train, test=test)


def standardized(data: DataSet) -> DataSet:
    """The images with mean 0 and standard deviation 1 over the training set."""
    parts: Any = data.train, data.test
    mean, deviation = parts[0].images.mean(), parts[0].images.std()
    train, test = (Examples((x - mean) / deviation, labels) for x, labels in parts)
    return data._replace(train=train, test=test)


def digit_share(mask: Any, side: int) -> float:
    """The fraction of the first dense layer's weights left that read a pixel of the digit."""
    first = next(np.asarray(leaf) for leaf in jax.tree.leaves(mask) if leaf.ndim)
    by_pixel = first.reshape(side, side, -1).sum(axis=-1)
    middle = _middle(side)
    return float(by_pixel[middle, middle].sum() / max(1, by_pixel.sum()))


def _middle(side: int) -> slice:
    return slice((side - 8) // 2, (side - 8) // 2 + 8)
