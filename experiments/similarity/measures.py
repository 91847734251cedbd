"""How alike two representations of the same examples are: linear CKA and SVCCA.

A representation is a matrix, a row for each example and a column for each neuron. Both measures
are from 0 to 1, and don't change when a representation is rotated or scaled.
"""

import numpy as np


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Centered kernel alignment, ``|y' x|^2 / (|x' x| |y' y|)`` of centered x and y, in Frobenius
    norms (Kornblith et al. 2019, arXiv:1905.00414, section 3).

    Args:
        x: real numbers of shape ``(examples, neurons)``.
        y: of as many examples; its neurons may be others.

    Returns:
        From 0 to 1, and NaN if a representation is the same for all examples.

    Raises:
        ValueError: the shapes aren't such.

    >>> round(linear_cka(np.eye(3), np.array([[1.0], [0.0], [0.0]])), 4)
    0.7071
    """
    x, y = _centered(x, y)
    if not (x.any() and y.any()):
        return float("nan")
    between = np.linalg.norm(y.T @ x) ** 2
    return float(between / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def svcca(x: np.ndarray, y: np.ndarray, *, variance: float = 0.99) -> float:
    """The mean canonical correlation of the directions in which x and y vary most (Raghu et al.
    2017, arXiv:1706.05806, section 2).

    Of each, the fewest principal directions are taken that hold the fraction ``variance`` of its
    variance; the mean is over as many correlations as the smaller of both has directions. With all
    of the variance it's canonical correlation analysis, which no invertible linear map changes.

    Args:
        x: real numbers of shape ``(examples, neurons)``.
        y: of as many examples; its neurons may be others.
        variance: above 0 and at most 1.

    Returns:
        From 0 to 1, and NaN if a representation is the same for all examples.

    Raises:
        ValueError: the shapes aren't such.

    >>> round(svcca(np.eye(3), np.array([[1.0], [0.0], [0.0]])), 4)
    1.0
    """
    x, y = _centered(x, y)
    if not (x.any() and y.any()):
        return float("nan")
    bases = _basis(x, variance).T @ _basis(y, variance)
    return float(np.linalg.svd(bases, compute_uv=False).mean())


def _centered(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in float64, with rounding errors of what is constant at 0."""
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or len(x) == 0:
        raise ValueError(
            "representations must be of shape (examples, neurons) with the same examples, got "
            f"{x.shape} and {y.shape}"
        )

    def centered(z: np.ndarray) -> np.ndarray:
        return np.where((z == z[0]).all(0), 0, z - z.mean(0, dtype=np.float64))

    return centered(x), centered(y)


def _basis(x: np.ndarray, variance: float) -> np.ndarray:
    """An orthonormal basis of the principal directions that are taken, over examples."""
    left, sizes, _ = np.linalg.svd(x, full_matrices=False)
    held = np.cumsum(sizes**2) / np.sum(sizes**2)
    # What the last digits hold is no direction.
    some = int(np.sum(sizes > sizes[0] * max(x.shape) * np.finfo(x.dtype).eps))
    return left[:, : min(1 + int(np.searchsorted(held, variance)), some)]
