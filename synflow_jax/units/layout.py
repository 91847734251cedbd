"""Where units are in the params, and what they cost: sizes, masks, scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Reduce = Literal["sum", "mean", "norm"]
"""How the scores of the weights that end in a unit become its score."""


class Term(NamedTuple):
    """A product of sizes: a number of weights, of multiplications, or of units.

    Attributes:
        factor: what doesn't change.
        axes: the positions in ``Layout.axes`` whose sizes are multiplied.
    """

    factor: int
    axes: tuple[int, ...]


class Cost(NamedTuple):
    """What units cost.

    Attributes:
        terms: what is added up.
        inputs: how many inputs they are for together.
    """

    terms: tuple[Term, ...]
    inputs: int


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the units are.

    Attributes:
        axes: for each axis that has any: for each of its indices the units without which it goes,
            int32 of shape ``(indices, units)``; the number of all units stands for none.
        leaves: for each leaf of the params and each of its axes the position in ``axes``, or None.
        scored: leaf, axis and units, as in ``axes``, of the weights whose scores the units have.
        class_of: for each unit the number of its class, int32.
        weights: how many numbers all params hold.
        multiplications: those of dense and convolutional layers for one input.
    """

    axes: tuple[np.ndarray, ...]
    leaves: tuple[tuple[int | None, ...], ...]
    scored: tuple[tuple[int, int, np.ndarray], ...]
    class_of: np.ndarray
    weights: Cost
    multiplications: Cost

    @property
    def sizes(self) -> np.ndarray:
        """How many units each class has, int64."""
        return np.bincount(self.class_of)

    @property
    def starts(self) -> np.ndarray:
        """The number of the first unit of each class, int64."""
        return np.cumsum(self.sizes) - self.sizes


def exact(cost: Cost, layout: Layout, alive: np.ndarray) -> np.ndarray:
    """What units cost of which only some are alive.

    Args:
        cost: what is added up.
        layout: where the units are.
        alive: bool of shape ``(..., units)``.

    Returns:
        int64 of shape ``(...)``.
    """
    flags = np.concatenate([alive, np.ones((*alive.shape[:-1], 1), bool)], -1)
    sizes = [flags[..., own].all(-1).sum(-1, dtype=np.int64) for own in layout.axes]
    terms = (term.factor * math.prod(sizes[axis] for axis in term.axes) for term in cost.terms)
    return np.asarray(sum(terms) // cost.inputs, np.int64)


def relative(cost: Cost, layout: Layout, alive: jax.Array) -> jax.Array:
    """The same as a fraction of what all units cost, in the widest float that is on."""
    flags = jnp.append(alive, True)
    real = jnp.zeros(()).dtype
    sizes = [flags[own].all(-1).sum().astype(real) / len(own) for own in layout.axes]
    whole = int(exact(cost._replace(inputs=1), layout, np.ones(len(layout.class_of), bool)))
    full = [len(own) for own in layout.axes]
    shares = [
        term.factor * math.prod(full[axis] for axis in term.axes) / whole for term in cost.terms
    ]
    parts = [
        share * math.prod((sizes[axis] for axis in term.axes), start=jnp.ones((), real))
        for share, term in zip(shares, cost.terms, strict=True)
    ]
    return jnp.stack(parts).sum()


def leaf_masks(
    layout: Layout, shapes: Sequence[tuple[int, ...]], alive: jax.Array | np.ndarray
) -> list[Any]:
    """What is kept of each leaf: of its shape where it has units, scalar ``True`` elsewhere.

    In NumPy if ``alive`` is: operations on devices would be compiled one by one.
    """
    xp = np if isinstance(alive, np.ndarray) else jnp
    flags = xp.append(alive, True)
    found = []
    for positions, shape in zip(layout.leaves, shapes, strict=True):
        mask = xp.array(True)
        for axis, position in enumerate(positions):
            if position is not None:
                own = flags[layout.axes[position]].all(-1)
                mask = mask & own.reshape([-1 if i == axis else 1 for i in range(len(shape))])
        found.append(xp.broadcast_to(mask, shape) if mask.ndim else mask)
    return found


def unit_scores(
    layout: Layout, scores: Sequence[jax.Array], masks: Sequence[jax.Array], reduce: Reduce
) -> jax.Array:
    """The score of each unit, from those of the kept weights that end in it."""
    count, dtype = len(layout.class_of) + 1, jnp.result_type(*scores)
    sums, weights = jnp.zeros(count, dtype), jnp.zeros(count, dtype)
    for leaf, axis, units in layout.scored:
        kept = jnp.broadcast_to(masks[leaf], scores[leaf].shape)
        own = jnp.where(kept, scores[leaf], 0).astype(dtype)
        others = tuple(i for i in range(own.ndim) if i != axis)
        by_index = (own**2 if reduce == "norm" else own).sum(others)
        for column in units.T:
            sums = sums.at[column].add(by_index)
            if reduce == "mean":
                weights = weights.at[column].add(kept.sum(others).astype(dtype))
    sums = sums[:-1]
    if reduce == "norm":
        return jnp.sqrt(sums)
    return sums / jnp.maximum(weights[:-1], 1) if reduce == "mean" else sums
