"""How the density falls from round to round.

Schedules run on the host in float64. In float32 on a device the number of weights to keep would be
off by 2 at 1.4e8 weights.
"""

import numpy as np

from synflow_jax.checks import check_compression, check_rounds


def exponential(compression: float, rounds: int) -> np.ndarray:
    """Density ``compression ** -(k / rounds)`` after round ``k = 1, ..., rounds``.

    Each round removes the same fraction of what is left (Tanaka et al. 2020, arXiv:2006.05467,
    algorithm 1).

    Args:
        compression: weights before / weights after, finite and at least 1.
        rounds: number of rounds, at least 1.

    Returns:
        Densities in (0, 1], float64 of shape ``(rounds,)``.

    Raises:
        ValueError: compression or rounds are out of range.
        TypeError: compression isn't a number, or rounds isn't a whole one.

    >>> import synflow_jax as sf
    >>> sf.exponential(100.0, 2)
    array([0.1 , 0.01])
    """
    compression, rounds = check_compression(compression), check_rounds(rounds)
    # Python's power, not NumPy's: NumPy's vectorized one differs in the last bit by processor.
    return np.array([compression ** -(k / rounds) for k in range(1, rounds + 1)])


def linear(compression: float, rounds: int) -> np.ndarray:
    """Density ``1 - (1 - 1 / compression) * k / rounds`` after round ``k = 1, ..., rounds``.

    Each round removes the same number of weights (Tanaka et al. 2020, arXiv:2006.05467, figure 7).

    Args:
        compression: weights before / weights after, finite and at least 1.
        rounds: number of rounds, at least 1.

    Returns:
        Densities in (0, 1], float64 of shape ``(rounds,)``.

    Raises:
        ValueError: compression or rounds are out of range.
        TypeError: compression isn't a number, or rounds isn't a whole one.

    >>> import synflow_jax as sf
    >>> sf.linear(100.0, 2)
    array([0.505, 0.01 ])
    """
    compression, rounds = check_compression(compression), check_rounds(rounds)
    densities = 1.0 - (1.0 - 1.0 / compression) * (np.arange(1, rounds + 1) / rounds)
    # From 1e16 on 1 - 1 / compression is 1.
    return np.where(densities > 0, densities, 1.0 / compression)


def cubic(compression: float, rounds: int) -> np.ndarray:
    """Density ``d + (1 - d) * (1 - k / rounds) ** 3`` after round ``k``, d = 1 / compression.

    Many weights go at first, while there are many, and few in the end (Zhu and Gupta 2017,
    arXiv:1710.01878, equation 1, from a dense network).

    Args:
        compression: weights before / weights after, finite and at least 1.
        rounds: number of rounds, at least 1.

    Returns:
        Densities in (0, 1], float64 of shape ``(rounds,)``.

    Raises:
        ValueError: compression or rounds are out of range.
        TypeError: compression isn't a number, or rounds isn't a whole one.

    >>> import synflow_jax as sf
    >>> sf.cubic(100.0, 2)
    array([0.13375, 0.01   ])
    """
    compression, rounds = check_compression(compression), check_rounds(rounds)
    density = 1.0 / compression
    left = 1.0 - np.arange(1, rounds + 1) / rounds
    # Products, not a power: NumPy's vectorized one differs in the last bit by processor.
    return density + (1.0 - density) * (left * left * left)
