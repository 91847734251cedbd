"""The highest scores whose weights together fit: like `top_k`, but each score has a weight."""

import itertools
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp

from synflow_jax.selection.counting import Pivots
from synflow_jax.selection.joining import joined, parted
from synflow_jax.selection.ordered_bits import ordered_bits
from synflow_jax.selection.search import even_pivots, search, whole_range
from synflow_jax.selection.ties import positions_in
from synflow_jax.selection.two_words import TwoWordCount, equal, minus, sum_of


def highest_that_fit(
    scores: Sequence[jax.Array], weights: Sequence[jax.Array], total: int, most: TwoWordCount
) -> list[jax.Array]:
    """The most scores, from the highest on, whose weights together are at most ``most``.

    A search for the lowest score that is kept with all that equal it; then, since of these only the
    first may fit, one for the last position among them.

    Args:
        scores: floating-point arrays of one type and any shapes, ranked together; fewer than 2**32
            in all. Of equal ones the first come first: earlier arrays first, then row by row.
        weights: positive int32 arrays of their shapes, each with a sum below 2**31.
        total: the sum of all weights.
        most: what the weights of those that are kept add up to at most.

    Returns:
        A boolean array for each array of scores, of its shape; ``False`` where a score is -inf.
    """
    arrays, sizes = joined(scores), joined(weights)
    bits = [ordered_bits(x) for x in arrays]
    lowest, left = _fitting(bits, sizes, total, most)
    highest = [own >= lowest for own in bits]
    early = _where(_early(arrays), [own == lowest - 1 for own in bits])
    last, _ = _fitting(early, sizes, total, left)
    kept = [
        (above | ((place > 0) & (place >= last))) & (x > -jnp.inf)
        for above, place, x in zip(highest, early, arrays, strict=True)
    ]
    return parted(kept, scores)


def _fitting(
    bits: Sequence[jax.Array], weights: Sequence[jax.Array], total: int, most: TwoWordCount
) -> tuple[jax.Array, TwoWordCount]:
    """The lowest bits that fit with all at least as large, and what is then left of ``most``."""
    everywhere = whole_range(bits[0].dtype, total)
    counts = partial(_weights_at_least, bits, weights)
    bounds = search(counts, most, everywhere, even_pivots(everywhere))
    exact = equal(bounds.at_low, most)
    left = minus(most, bounds.at_high)
    left = TwoWordCount(*(jnp.where(exact, 0, word) for word in left))
    return jnp.where(exact, bounds.low, bounds.high), left


def _weights_at_least(
    bits: Sequence[jax.Array], weights: Sequence[jax.Array], pivots: Pivots
) -> TwoWordCount:
    """What the weights of bits at least as large as each pivot add up to."""

    def of_array(own: jax.Array, weight: jax.Array) -> jax.Array:
        chosen = [jnp.where(own >= pivot, weight, 0) for pivot in pivots.all()]
        return jnp.stack([jnp.sum(each, dtype=jnp.int32) for each in chosen])

    return sum_of([of_array(*pair) for pair in zip(bits, weights, strict=True)])


def _early(arrays: Sequence[jax.Array]) -> list[jax.Array]:
    """For each element a uint32, the larger the earlier it stands in all arrays, and at least 1."""
    ends = itertools.accumulate(array.size for array in reversed(arrays))
    return [
        jnp.uint32(end) - positions_in(array.shape).astype(jnp.uint32)
        for end, array in zip(reversed(list(ends)), arrays, strict=True)
    ]


def _where(arrays: Sequence[jax.Array], flags: Sequence[jax.Array]) -> list[jax.Array]:
    return [jnp.where(flag, x, 0) for flag, x in zip(flags, arrays, strict=True)]
