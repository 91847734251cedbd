"""What is ranked together: all layers, or each by itself."""

from collections.abc import Sequence

import jax
import numpy as np

from synflow_jax.selection.top_k import top_k
from synflow_jax.types import Selection


def kept_counts(size: int, densities: Sequence[float] | np.ndarray) -> np.ndarray:
    """How many of ``size`` weights each density keeps: ``size - floor((1 - density) * size)``.

    At least one, if there are any: for tiny densities ``1 - density`` is 1 in float64.

    Args:
        size: the number of weights.
        densities: of each round, in (0, 1].

    Returns:
        int64 of shape ``(rounds,)``; exact for any size below 2**53.

    >>> from synflow_jax.selection import kept_counts
    >>> kept_counts(1000, [0.1, 0.0155])
    array([100,  16])
    """
    kept = size - np.floor((1.0 - np.asarray(densities, np.float64)) * size).astype(np.int64)
    return np.maximum(kept, min(size, 1))


def _global_counts(sizes: Sequence[int], densities: np.ndarray) -> np.ndarray:
    return kept_counts(sum(sizes), densities)[:, None]


def _keep_global(scores: Sequence[jax.Array], row: jax.Array) -> list[jax.Array]:
    """Keeps the highest scores of the whole network, so that layers get different densities.

    A `Selection` for ``prune(..., select=sf.global_top_k)``, the default of `prune`. Of ``size``
    weights in all prunable layers a round of a given density keeps exactly
    ``size - floor((1 - density) * size)``. Of equal scores the first are kept, earlier layers
    first, then row by row.

    Args:
        scores: floating-point arrays, one for each layer.
        row: how many to keep in all, int32 of shape ``(1,)``, or a `TwoWordCount` of this shape.

    Returns:
        A boolean array for each layer, ``True`` where the score is kept.

    Raises:
        TypeError: scores aren't floating-point arrays.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> sf.global_top_k.keep([jnp.array([4.0, 1.0]), jnp.array([3.0, 2.0])], jnp.array([1]))
    [Array([ True, False], dtype=bool), Array([False, False], dtype=bool)]
    """
    return top_k(scores, jax.tree.map(lambda word: word[0], row))


def _local_counts(sizes: Sequence[int], densities: np.ndarray) -> np.ndarray:
    return np.stack([kept_counts(size, densities) for size in sizes], axis=1)


def _keep_local(scores: Sequence[jax.Array], row: jax.Array) -> list[jax.Array]:
    """Keeps the highest scores of each layer, so that all layers get the same density.

    A `Selection` for ``prune(..., select=sf.local_top_k)``. Of ``size`` weights in a layer a round
    of a given density keeps exactly ``size - floor((1 - density) * size)``. Of equal scores the
    first are kept, row by row.

    Args:
        scores: floating-point arrays, one for each layer.
        row: how many to keep in each layer, int32 of shape ``(layers,)``.

    Returns:
        A boolean array for each layer, ``True`` where the score is kept.

    Raises:
        TypeError: scores aren't floating-point arrays.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> sf.local_top_k.keep([jnp.array([4.0, 1.0]), jnp.array([3.0, 2.0])], jnp.array([1, 1]))
    [Array([ True, False], dtype=bool), Array([ True, False], dtype=bool)]
    """
    return [top_k([leaf], k)[0] for leaf, k in zip(scores, row, strict=True)]


global_top_k = Selection(_global_counts, _keep_global)
local_top_k = Selection(_local_counts, _keep_local)
