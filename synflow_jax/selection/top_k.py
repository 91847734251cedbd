"""The k highest of all scores, and the k-th highest: what is public, and its checks."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import Tracer

from synflow_jax.checks import check_whole, shown
from synflow_jax.selection.joining import joined, parted
from synflow_jax.selection.kth import kth_largest
from synflow_jax.selection.ordered_bits import from_ordered_bits, ordered_bits
from synflow_jax.selection.ties import ends_of_first, positions_in
from synflow_jax.selection.two_words import TwoWordCount, equal, two_words
from synflow_jax.types import Scores

# Elements. Neighbors smaller than this are joined for a single search: to copy more of VGG-16's
# scores took longer than to read them where they are, 22 instead of 12 ms.
_JOINED = 2**16


def top_k(scores: Sequence[jax.Array], k: jax.Array | TwoWordCount | int) -> list[jax.Array]:
    """Boolean arrays that are ``True`` at the ``k`` highest of all ``scores``.

    Args:
        scores: floating-point arrays of any shapes and shardings, ranked together; fewer than
            2**31 each. Zeros of both signs are equal; a NaN's rank is undefined; a subnormal number
            may be taken for 0, as it is on a CPU.
        k: how many to keep, between 0 and the number of scores: an int32 scalar, or `two_words(k)`
            from 2**31 on. A traced ``k`` isn't checked for its range.

    Returns:
        One boolean array for each array of scores, of its shape; exactly ``k`` elements are
        ``True``, or all that aren't -inf if they are fewer. Of equal scores the first are kept:
        earlier arrays first, then row by row.

    Raises:
        ValueError: k is out of range.
        TypeError: scores aren't floating-point arrays, or k isn't a whole number.

    >>> import jax.numpy as jnp
    >>> from synflow_jax.selection import top_k
    >>> top_k([jnp.array([3.0, -1.0]), jnp.array([[2.0, 3.0]])], 2)
    [Array([ True, False], dtype=bool), Array([[False,  True]], dtype=bool)]
    """
    check_scores(scores)
    size = sum(leaf.size for leaf in scores)
    _check_k(k, 0, size)
    if not size:
        return [jnp.zeros(leaf.shape, bool) for leaf in scores]
    arrays, k = joined(of_one_type(scores)), as_two_words(k)
    bounds, few = kth_largest(arrays, k)
    sizes = jnp.array([x.size for x in arrays], jnp.int32)
    ends = lax.cond(
        equal(bounds.at_low, k), lambda: sizes, lambda: ends_of_first(arrays, k, bounds, few)
    )
    # What is pruned already, with scores of -inf, is never kept.
    least = ordered_bits(jnp.array(-jnp.inf, arrays[0].dtype)) + 1
    with_equal, above = jnp.maximum(bounds.low, least), jnp.maximum(bounds.low + 1, least)
    kept = [
        ordered_bits(x) >= jnp.where(positions_in(x.shape) < end, with_equal, above)
        for x, end in zip(arrays, ends, strict=True)
    ]
    return parted(kept, scores)


def kth_highest(scores: Scores, k: jax.Array | TwoWordCount | int) -> jax.Array:
    """The ``k``-th highest of all ``scores``, exactly and without sorting them.

    Args:
        scores: a pytree of floating-point arrays of any shapes and shardings, ranked together;
            fewer than 2**31 each. A NaN's rank is undefined; a subnormal number may be taken for 0.
        k: which one, between 1 and the number of scores: an int32 scalar, or `two_words(k)` from
            2**31 on. A traced ``k`` isn't checked for its range.

    Returns:
        A scalar: float64 if any of the arrays is, else float32.

    Raises:
        ValueError: there is no k-th score, or there are no scores at all.
        TypeError: scores aren't floating-point arrays, or k isn't a whole number.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> sf.kth_highest({"a": jnp.array([3.0, -1.0]), "b": jnp.array([[2.0, 5.0]])}, 3)
    Array(2., dtype=float32)
    """
    check_scores(jax.tree.leaves(scores))
    leaves = of_one_type(jax.tree.leaves(scores))
    size = sum(leaf.size for leaf in leaves)
    if not size:
        raise ValueError("scores is empty: there is no highest; pass arrays with elements")
    _check_k(k, 1, size)
    bounds, _ = kth_largest(joined(leaves, below=_JOINED), as_two_words(k), exactly=True)
    return from_ordered_bits(bounds.low)


def check_scores(scores: Sequence[jax.Array]) -> None:
    """All scores are floating-point arrays."""
    for leaf in scores:
        if not hasattr(leaf, "dtype") or not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise TypeError(
                f"scores must be floating-point arrays, got {shown(leaf)}; integers would be "
                "rounded, cast those that a float holds exactly"
            )


def _check_k(k: jax.Array | TwoWordCount | int, least: int, size: int) -> None:
    if isinstance(k, TwoWordCount):
        return
    if isinstance(k, Tracer):
        if k.shape or not jnp.issubdtype(k.dtype, jnp.integer):
            raise TypeError(f"k must be an integer, got k={shown(k)}; pass int32 of shape ()")
    elif not least <= (whole := check_whole("k", k)) <= size:
        raise ValueError(
            f"k must be between {least} and the number of scores, {size:,}; got k={whole}"
        )


def of_one_type(scores: Sequence[jax.Array]) -> list[jax.Array]:
    """All in float64 if any is, else in float32, which holds half types exactly."""
    size = 64 if any(leaf.dtype.itemsize == 8 for leaf in scores) else 32
    return [leaf.astype(f"float{size}") for leaf in scores]


def as_two_words(k: jax.Array | TwoWordCount | int) -> TwoWordCount:
    """A count in the form in which it's compared."""
    return k if isinstance(k, TwoWordCount) else two_words(jnp.asarray(k, jnp.int32))
