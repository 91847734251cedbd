"""What a data set is to training: arrays, and how its images are normalized and augmented."""

from dataclasses import dataclass
from typing import NamedTuple

import jax


class Examples(NamedTuple):
    """Images, uint8 of shape ``(n, height, width, channels)``, and labels, int32 ``(n,)``."""

    images: jax.Array
    labels: jax.Array


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
    """A small data set, all of it on the device."""

    name: str
    classes: int
    preprocessing: Preprocessing
    train: Examples
    test: Examples
