"""Scikit-learn's handwritten digits: 1,797 real gray images of 8x8 pixels, nothing to download."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from experiments.data.types import Batch, Examples


def split_digits(test_fraction: float = 0.2) -> tuple[Batch, Batch]:
    """The training and the test set, always split alike, with all classes in proportion.

    Images are as they come, uint8 from 0 to 16 of shape ``(n, 8, 8, 1)``.
    """
    images, labels = map(np.asarray, load_digits(return_X_y=True))
    images, labels = images.reshape(-1, 8, 8, 1).astype(np.uint8), labels.astype(np.int32)
    order = np.arange(len(labels))
    chosen, left = train_test_split(order, test_size=test_fraction, stratify=labels, random_state=0)
    return Batch(images[chosen], labels[chosen]), Batch(images[left], labels[left])


def digits(test_fraction: float = 0.2) -> tuple[Examples, Examples]:
    """`split_digits` as float32 with mean 0 and standard deviation 1 over the training set."""
    train, test = split_digits(test_fraction)
    mean, deviation = train.images.mean(), train.images.std()

    def part(pixels: Batch) -> Examples:
        images = (pixels.images - mean) / deviation
        return Examples(jnp.asarray(images, jnp.float32), jnp.asarray(pixels.labels))

    return part(train), part(test)


def class_batch(data: Examples, key: jax.Array, per_class: int) -> Examples:
    """``per_class`` random images of each class: the batch that methods score with."""
    order = np.asarray(jax.random.permutation(key, len(data.labels)))
    labels = np.asarray(data.labels)[order]
    chosen = np.concatenate([order[labels == c][:per_class] for c in np.unique(labels)])
    return Examples(data.images[chosen], data.labels[chosen])
