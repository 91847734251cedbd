"""What a data set is to training: arrays, and how its images are normalized and augmented."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np


class Examples(NamedTuple):
    """Images of shape ``(n, height, width, channels)`` and labels, int32 ``(n,)``, on the device.

    Images are uint8 as they come, or float32 and ready for a network.
    """

    images: jax.Array
    labels: jax.Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image."""
        return self.images.shape[1:]

    @property
    def size(self) -> int:
        """How many examples there are."""
        return len(self.labels)


class Batch(NamedTuple):
    """Images, uint8 of shape ``(n, height, width, channels)``, and labels, int32 ``(n,)``, on the
    host.
    """

    images: np.ndarray
    labels: np.ndarray


class Streamed(NamedTuple):
    """Examples that are read from disk as they are needed.

    ``shape`` is that of an image, ``size`` how many examples there are, and ``batches(epoch)``
    goes through them once, for training in an order and with crops that depend on the epoch.
    """

    shape: tuple[int, ...]
    size: int
    batches: Callable[[int], Iterator[Batch]]


@dataclass(frozen=True)
class Preprocessing:
    """Mean and standard deviation of each channel of ``images / 255``, and the augmentation.

    ``padding`` is how far a random crop may shift an image, in pixels; ``flip`` mirrors every
    other image at random. It can be hashed, so it may be a static argument under jit.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    padding: int = 0
    flip: bool = False


class DataSet(NamedTuple):
    """A data set: small ones are on the device, large ones streamed."""

    name: str
    classes: int
    preprocessing: Preprocessing
    train: Examples | Streamed
    test: Examples | Streamed
