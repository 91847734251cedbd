"""Blocks of kernels, each kept or pruned whole."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.checks import check_pair
from synflow_jax.selection.groups import kept_counts
from synflow_jax.selection.top_k import as_two_words, check_scores, of_one_type
from synflow_jax.selection.weighted import highest_that_fit
from synflow_jax.types import Selection


class Block(NamedTuple):
    """The shape of a block over the last two axes of a kernel; at the edges they are smaller.

    Attributes:
        rows: along the last axis but one, an int.
        columns: along the last axis, an int.
    """

    rows: int
    columns: int


def block_top_k(block: tuple[int, int]) -> Selection:
    """Keeps the blocks of weights with the highest mean scores of the whole network.

    Blocks of shape ``(b1, b2)`` tile the last two axes of each kernel, those of a dense kernel's
    inputs and outputs; of a kernel with more axes each slice of the others is tiled by itself.
    Where ``b1`` or ``b2`` doesn't divide an axis, the blocks at its end are smaller. All blocks of
    all layers are ranked together by the mean of their scores,

        ``score of a block = sum of the scores in it / number of weights in it``.

    A round of a given density keeps the most blocks, from the best on, whose weights are together
    at most the ``size - floor((1 - density) * size)`` that `global_top_k` keeps; so it keeps less
    than one block fewer. Of equal blocks the first stay, earlier layers first, then row by row of
    blocks. A block with a weight that is pruned already is pruned whole. Hardware that multiplies
    matrices tile by tile can leave out such blocks (Gray, Radford and Kingma 2017, "GPU kernels for
    block-sparse weights").

    Args:
        block: rows and columns of a block, two ints of at least 1.

    Returns:
        A `Selection` for ``prune(..., select=sf.block_top_k((8, 8)))``. Equal arguments give equal
        ones.

    Raises:
        ValueError: a side of a block is below 1; when pruning, the block is larger than one of the
            kernels.
        TypeError: ``block`` isn't a pair of whole numbers.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[1.0, 2.0, 0.0, 1.0], [2.0, 1.0, 3.0, 0.0]])}
    >>> mask, _ = sf.prune(sf.magnitude(), params, 2, rounds=1, select=sf.block_top_k((2, 2)))
    >>> mask["kernel"]
    Array([[ True,  True, False, False],
           [ True,  True, False, False]], dtype=bool)
    """
    return _selection(Block(*check_pair("block", block, "rows and columns such as (8, 8)")))


@cache
def _selection(block: Block) -> Selection:
    def counts(shapes: Sequence[tuple[int, ...]], densities: np.ndarray) -> np.ndarray:
        _check_shapes(shapes, block)
        return kept_counts(sum(map(math.prod, shapes)), densities)[:, None]

    def keep(scores: Sequence[jax.Array], row: Any) -> list[jax.Array]:
        """Keeps the best blocks; see `block_top_k`."""
        check_scores(scores)
        most = as_two_words(jax.tree.map(lambda word: word[0], row))
        means = [_means(leaf, block) for leaf in of_one_type(scores)]
        sizes = [_sizes(leaf.shape, block) for leaf in scores]
        kept = highest_that_fit(means, sizes, sum(leaf.size for leaf in scores), most)
        return [_untiled(k, leaf.shape, block) for k, leaf in zip(kept, scores, strict=True)]

    return Selection(counts, keep, shapes=True, slack=math.prod(block) - 1)


def _check_shapes(shapes: Sequence[tuple[int, ...]], block: Block) -> None:
    small = [
        shape
        for shape in shapes
        if len(shape) < 2 or shape[-2] < block.rows or shape[-1] < block.columns
    ]
    if small:
        raise ValueError(
            f"a block of {tuple(block)} is larger than the last two axes of a kernel of shape "
            f"{' or '.join(map(str, dict.fromkeys(small)))}; pass a smaller block, or let "
            "prunable(path, leaf) be False there"
        )


def _tiled(x: jax.Array, block: Block) -> jax.Array:
    """``x`` of shape (..., rows, columns) as (..., rows / b1, b1, columns / b2, b2), 0 outside."""
    *leading, rows, columns = x.shape
    padding = [(0, 0)] * len(leading) + [(0, -rows % block.rows), (0, -columns % block.columns)]
    padded = jnp.pad(x, padding)
    return padded.reshape(
        *leading, -1, block.rows, padded.shape[-1] // block.columns, block.columns
    )


def _means(scores: jax.Array, block: Block) -> jax.Array:
    """Each block's mean score; -inf where one of its scores is."""
    pruned = scores == -jnp.inf
    # Finite scores may add up to -inf too.
    sums = jnp.maximum(_tiled(scores, block).sum((-3, -1)), jnp.finfo(scores.dtype).min)
    means = sums / _sizes(scores.shape, block).astype(sums.dtype)
    return jnp.where(_tiled(pruned, block).any((-3, -1)), -jnp.inf, means)


def _sizes(shape: tuple[int, ...], block: Block) -> jax.Array:
    """How many weights each block has, int32."""
    *leading, rows, columns = shape
    tiles = (*leading, -(-rows // block.rows), -(-columns // block.columns))

    def extent(axis: int, length: int, most: int) -> jax.Array:
        start = lax.broadcasted_iota(jnp.int32, tiles, len(tiles) + axis) * most
        return jnp.minimum(length - start, most)

    return extent(-2, rows, block.rows) * extent(-1, columns, block.columns)


def _untiled(flags: jax.Array, shape: tuple[int, ...], block: Block) -> jax.Array:
    """What is said of each block, said of each of its weights."""
    *leading, rows, columns = flags.shape
    each = (*leading, rows, block.rows, columns, block.columns)
    spread = jnp.broadcast_to(flags[..., :, None, :, None], each)
    whole = spread.reshape(*leading, rows * block.rows, columns * block.columns)
    return whole[..., : shape[-2], : shape[-1]]
