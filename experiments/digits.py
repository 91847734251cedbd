"""Scikit-learn's handwritten digits: 1,797 real gray images of 8x8 pixels, nothing to download."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

CLASSES = 10


class Data(NamedTuple):
    """Images, float32 of shape ``(n, height, width, channels)``, and labels, int32 ``(n,)``."""

    images: jax.Array
    labels: jax.Array


def digits(test_fraction: float = 0.2) -> tuple[Data, Data]:
    """The training and the test set, always split alike, with all classes in proportion.

    Pixels are shifted and scaled to mean 0 and standard deviation 1 over the training set.
    """
    images, labels = map(np.asarray, load_digits(return_X_y=True))
    order = np.arange(len(labels))
    chosen, left = train_test_split(order, test_size=test_fraction, stratify=labels, random_state=0)
    mean, deviation = images[chosen].mean(), images[chosen].std()
    images = (images.reshape(-1, 8, 8, 1) - mean) / deviation

    def part(rows: np.ndarray) -> Data:
        return Data(jnp.asarray(images[rows], jnp.float32), jnp.asarray(labels[rows], jnp.int32))

    return part(np.asarray(chosen)), part(np.asarray(left))


def class_batch(data: Data, key: jax.Array, per_class: int) -> Data:
    """``per_class`` random images of each class: the batch that SNIP and GraSP score with."""
    order = np.asarray(jax.random.permutation(key, len(data.labels)))
    labels = np.asarray(data.labels)[order]
    chosen = np.concatenate([order[labels == c][:per_class] for c in np.unique(labels)])
    return Data(data.images[chosen], data.labels[chosen])
