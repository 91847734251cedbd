"""Blocks and N of each M kept by loops over NumPy arrays, and SynFlow of dense layers."""

import math
from collections.abc import Callable, Sequence

import numpy as np

Kernels = list[np.ndarray]
Keep = Callable[[Kernels, float], Kernels]


def best_blocks(scores: Sequence[np.ndarray], block: tuple[int, int], most: int) -> Kernels:
    """The blocks of the highest means, from the best on, until one doesn't fit."""
    found = []
    for leaf, x in enumerate(scores):
        for leading in np.ndindex(*x.shape[:-2]):
            for row in range(0, x.shape[-2], block[0]):
                for column in range(0, x.shape[-1], block[1]):
                    place = (*leading, slice(row, row + block[0]), slice(column, column + block[1]))
                    found.append((leaf, place, x[place].size, x[place].mean()))
    kept = [np.zeros(x.shape, bool) for x in scores]
    for leaf, place, size, mean in sorted(found, key=lambda each: -each[3]):
        if mean == -np.inf or size > most:
            break
        kept[leaf][place] = True
        most -= size
    return kept


def n_of_each_m(scores: Sequence[np.ndarray], n: int, m: int, axis: int) -> Kernels:
    """The n highest of each group along an axis, the first of equal ones, never -inf."""
    kept = [np.zeros(x.shape, bool) for x in scores]
    for x, flags in zip(scores, kept, strict=True):
        lines, marks = np.moveaxis(x, axis, -1), np.moveaxis(flags, axis, -1)
        for place in np.ndindex(*lines.shape[:-1]):
            for start in range(0, lines.shape[-1], m):
                group = lines[place][start : start + m]
                for i in np.argsort(-group, kind="stable")[:n]:
                    marks[place][start + i] = group[i] > -np.inf
    return kept


def in_rounds(kernels: Kernels, densities: np.ndarray, keep: Keep) -> list[Kernels]:
    """The mask after each round of SynFlow and ``keep(scores, density)``."""
    masks, mask = [], [np.ones(kernel.shape, bool) for kernel in kernels]
    for density in densities.tolist():
        scores = flows([np.where(m, k, 0) for m, k in zip(mask, kernels, strict=True)])
        scores = [np.where(m, s, -np.inf) for m, s in zip(mask, scores, strict=True)]
        mask = keep(scores, density)
        masks.append(mask)
    return masks


def flows(kernels: Kernels) -> Kernels:
    """|w| dR/d|w| of dense layers on an input of ones."""
    kernels = [np.abs(kernel) for kernel in kernels]
    before, after = [np.ones(len(kernels[0]))], [np.ones(kernels[-1].shape[1])]
    for kernel in kernels[:-1]:
        before.append(before[-1] @ kernel)
    for kernel in kernels[:0:-1]:
        after.insert(0, kernel @ after[0])
    return [k * np.outer(b, a) for k, b, a in zip(kernels, before, after, strict=True)]


def asked(kernels: Kernels, density: float) -> int:
    """How many weights a density keeps."""
    size = sum(kernel.size for kernel in kernels)
    return size - math.floor((1 - density) * size)
