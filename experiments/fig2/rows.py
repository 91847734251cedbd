"""What each layer keeps, as rows, and when layers collapse."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class LayerKept(NamedTuple):
    """One layer of one pruned network.

    Attributes:
        method: name of the score.
        seed: which initialization.
        compression: weights before / weights after, as asked for.
        layer: name of its parameter.
        size: its weights.
        kept: those left.
    """

    method: str
    seed: int
    compression: float
    layer: str
    size: int
    kept: int


def kept_array(rows: Sequence[LayerKept], method: str) -> tuple[np.ndarray, np.ndarray]:
    """A method's compressions, rising, and what is kept: ``(compressions, seeds, layers)``."""
    chosen = [row for row in rows if row.method == method]
    compressions = sorted({row.compression for row in chosen})
    kept = [[row.kept for row in chosen if row.compression == c] for c in compressions]
    seeds = len({row.seed for row in chosen})
    return np.asarray(compressions), np.asarray(kept).reshape(len(compressions), seeds, -1)


def critical_compressions(compressions: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """For each seed the largest of the compressions at which no layer is empty; 0 if none is.

    Args:
        compressions: rising.
        kept: weights kept, of shape ``(compressions, seeds, layers)``.

    >>> critical_compressions(np.array([1, 10, 100]), np.array([[[9, 9]], [[1, 1]], [[0, 1]]]))
    array([10])
    """
    whole = (kept > 0).all(axis=2)
    return np.where(whole, compressions[:, None], 0).max(axis=0)
