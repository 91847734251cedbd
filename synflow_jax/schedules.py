"""How the density falls from round to round.

Schedules run on the host in float64. In float32 on a device the count of weights to keep would
be off by 2 at 1.4e8 weights.
"""

from collections.abc import Sequence

import numpy as np


def exponential(compression: float, rounds: int) -> np.ndarray:
    """Density ``compression ** -(k / rounds)`` after round ``k = 1, ..., rounds``.

    Each round removes the same fraction of what is left (Tanaka et al. 2020, algorithm 1).

    Args:
        compression: weights before over weights after, at least 1.
        rounds: number of rounds, at least 1.

    Returns:
        Densities in (0, 1], float64 of shape ``(rounds,)``.

    >>> import synflow_jax as sf
    >>> sf.exponential(100.0, 2)
    array([0.1 , 0.01])
    """
    # Python's power, not NumPy's: NumPy's vectorized one differs in the last bit by processor.
    return np.array([float(compression) ** -(k / rounds) for k in range(1, rounds + 1)])


def linear(compression: float, rounds: int) -> np.ndarray:
    """Density ``1 - (1 - 1 / compression) * k / rounds`` after round ``k = 1, ..., rounds``.

    Each round removes the same number of weights (Tanaka et al. 2020, figure 7).

    Args:
        compression: weights before over weights after, at least 1.
        rounds: number of rounds, at least 1.

    Returns:
        Densities in (0, 1], float64 of shape ``(rounds,)``.

    >>> import synflow_jax as sf
    >>> sf.linear(100.0, 2)
    array([0.505, 0.01 ])
    """
    return 1.0 - (1.0 - 1.0 / compression) * (np.arange(1, rounds + 1) / rounds)


def kept_counts(size: int, densities: Sequence[float] | np.ndarray) -> np.ndarray:
    """How many of ``size`` weights each density keeps: ``size - floor((1 - density) * size)``.

    Returns:
        int64 of shape ``(rounds,)``; exact for any size below 2**53.

    >>> from synflow_jax.schedules import kept_counts
    >>> kept_counts(1000, [0.1, 0.0155])
    array([100,  16])
    """
    return size - np.floor((1.0 - np.asarray(densities, np.float64)) * size).astype(np.int64)
