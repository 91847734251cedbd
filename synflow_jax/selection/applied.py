"""The counts of a selection for given layers, as the device takes them."""

import math
from collections.abc import Sequence

import numpy as np

from synflow_jax.selection.two_words import TwoWordCount, two_words
from synflow_jax.types import Selection


def counts_of(
    select: Selection, shapes: Sequence[tuple[int, ...]], densities: np.ndarray
) -> np.ndarray:
    """How many weights each round keeps in each group of a selection.

    Args:
        select: a selection.
        shapes: of the layers.
        densities: after each round, float64 of shape ``(rounds,)``.

    Returns:
        A NumPy array of shape ``(rounds, groups)``: int32, or int64 if a count is 2**31 or more.

    Raises:
        ValueError: ``select.counts`` doesn't return integers of that shape, or refuses the layers.
    """
    layers = shapes if select.shapes else [math.prod(shape) for shape in shapes]
    counts = np.asarray(select.counts(layers, densities))
    rounds = len(densities)
    if counts.ndim != 2 or len(counts) != rounds or counts.dtype.kind not in "iu":
        raise ValueError(
            f"select.counts must return integers of shape (rounds, groups) for {rounds} rounds, "
            f"got {counts.dtype}{counts.shape}"
        )
    return counts.astype(np.int32) if counts.max() < 2**31 else counts


def on_device(counts: np.ndarray) -> np.ndarray | TwoWordCount:
    """`counts_of` for compiled code: int64 ones as a `TwoWordCount`."""
    return two_words(counts) if counts.dtype == np.int64 else counts
