"""Early-bird tickets: when masks stop changing from epoch to epoch."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from synflow_jax.checks import (
    check_mask,
    check_number,
    check_structure,
    check_values,
    check_whole,
    named_leaves,
    shown,
)
from synflow_jax.selection import count
from synflow_jax.types import Mask


def mask_distance(mask: Mask, other: Mask) -> float:
    """The part of two masks' elements in which they differ: their Hamming distance over their size.

    Scalar leaves, which aren't prunable, don't count. Of masks of whole units, with leaves such as
    ``(1, 1, 1, C)``, each unit counts once.

    Args:
        mask: a pytree of boolean arrays.
        other: another, with leaves of the same shapes.

    Returns:
        A number from 0, if they are equal, to 1.

    Raises:
        ValueError: the masks don't match, or nothing is prunable.
        TypeError: a leaf isn't boolean, or is traced.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> mask = {"kernel": jnp.array([[True, False], [True, True]]), "bias": jnp.array(True)}
    >>> sf.mask_distance(mask, {**mask, "kernel": jnp.array([[True, True], [True, True]])})
    0.25
    """
    check_values({"mask": mask, "other": other}, "distances are numbers on the host: call outside")
    check_structure("other", other, mask, "mask")
    check_mask(mask, mask)
    check_mask(other, other)
    different, size = 0, 0
    for (name, leaf), own in zip(named_leaves(mask), jax.tree.leaves(other), strict=True):
        if jnp.shape(leaf) != jnp.shape(own):
            raise ValueError(
                f"leaf '{name}' has shape {jnp.shape(leaf)} in one mask and {jnp.shape(own)} in "
                "the other; pass masks of the same params"
            )
        if jnp.ndim(leaf):
            different += int(_differing(leaf, own))
            size += leaf.size
    if not size:
        raise ValueError("nothing is prunable in the masks: all of their leaves are scalar")
    return different / size


@jax.jit
def _differing(mask: jax.Array, other: jax.Array) -> jax.Array:
    return count(mask != other)


def early_bird(masks: Sequence[Mask], *, threshold: float = 0.1, window: int = 5) -> bool:
    """Whether the last of some masks is an early-bird ticket: close to each of those before it.

    While a network trains, it's pruned on the side after every epoch. Early on the masks of
    successive epochs become alike, long before the weights do, and from then on the pruned network
    can be trained in place of the whole (You et al. 2020, arXiv:1909.11957: "Drawing early-bird
    tickets"). A mask is the ticket if its `mask_distance` to each of the ``window - 1`` masks
    before it is at most ``threshold``.

    The authors prune channels by the scales of BatchNorm; take `prune_units` for that. Any masks
    will do here, as long as all are of one compression.

    Args:
        masks: one for each epoch so far, the last one last; only the last ``window`` matter.
        threshold: the largest distance, between 0 and 1.
        window: how many masks are alike, at least 2.

    Returns:
        Whether they are; False if there are fewer than ``window``.

    Raises:
        ValueError: threshold or window are out of range, masks don't match, or nothing is prunable.
        TypeError: an argument is of another kind, or a leaf isn't boolean, or is traced.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> weights, masks = jnp.array([[4.0, 3.0, 2.0, 1.0]]), []
    >>> for epoch in range(10):
    ...     weights = weights + jnp.array([[0.0, 0.0, 0.0, 1.5]])  # your epoch of training
    ...     masks.append(sf.prune(sf.magnitude(), [weights], 2.0, rounds=1)[0])
    ...     if sf.early_bird(masks, window=3):
    ...         break
    >>> epoch, masks[-1][0]  # the last weight comes in in epoch 1
    (3, Array([[ True, False, False,  True]], dtype=bool))
    """
    if not isinstance(masks, Sequence) or isinstance(masks, str):
        raise TypeError(
            f"masks must be a sequence of masks, one an epoch, got {shown(masks)}; pass a list"
        )
    threshold = check_number("threshold", threshold, "a number such as 0.1")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be between 0 and 1, got threshold={threshold:g}")
    if check_whole("window", window) < 2:
        raise ValueError(f"window must be >= 2, got window={window}")
    if len(masks) < window:
        return False
    return all(mask_distance(masks[-1], mask) <= threshold for mask in masks[-window:-1])
