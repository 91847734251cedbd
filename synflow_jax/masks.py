"""Masks: boolean pytrees that broadcast against their params."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.sharding import NamedSharding

from synflow_jax.arguments import check_callable
from synflow_jax.checks import check_mask, check_names, check_params
from synflow_jax.paths import leaf_name, named_leaves
from synflow_jax.types import Mask, Params, Prunable


def is_kernel(path: str, leaf: Any) -> bool:
    """Whether a leaf has two or more dimensions, as the kernels of dense and convolutional layers
    do and biases and normalization scales don't. The default of ``prunable``.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> sf.is_kernel("dense/bias", jnp.zeros(3))
    False
    """
    del path
    return leaf.ndim >= 2


def full_mask(params: Params, prunable: Prunable = is_kernel) -> Mask:
    """The mask that keeps everything: full shape where ``prunable``, scalar ``True`` elsewhere.

    Leaves that lie on several devices have masks that lie there in the same way.

    Raises:
        ValueError: nothing is prunable, a parameter without dimensions is, or two leaves have one
            name and ``prunable`` could tell them apart by it alone.
        TypeError: a leaf of params isn't floating-point, or ``prunable`` isn't a function.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> sf.full_mask({"kernel": jnp.zeros((1, 2)), "bias": jnp.zeros(2)})
    {'bias': Array(True, dtype=bool), 'kernel': Array([[ True,  True]], dtype=bool)}
    """
    check_callable("prunable", prunable, "path, leaf", "sf.is_kernel or a function of a name")
    check_params(params)
    if prunable is not is_kernel:
        check_names(params)

    def leaf_mask(path: Any, leaf: Any) -> jax.Array:
        name = leaf_name(path)
        if not prunable(name, leaf):
            return jnp.array(True)
        if leaf.ndim == 0:
            raise ValueError(
                f"params leaf '{name}' is a scalar, which can't be told from an unprunable one in "
                "a mask; let prunable(path, leaf) be False where leaf.ndim == 0"
            )
        return jnp.ones(leaf.shape, bool, device=_sharding(leaf))

    mask = jax.tree_util.tree_map_with_path(leaf_mask, params)
    if not any(prunable_leaves(mask)):
        shapes = {name: leaf.shape for name, leaf in named_leaves(params)}
        raise ValueError(f"nothing is prunable among {shapes}; pass another prunable(path, leaf)")
    return mask


def _sharding(leaf: Any) -> NamedSharding | None:
    known = isinstance(leaf, jax.Array) and not isinstance(leaf, Tracer)
    return leaf.sharding if known and isinstance(leaf.sharding, NamedSharding) else None


def prunable_leaves(mask: Mask) -> list[bool]:
    """For each leaf in the order of ``jax.tree.leaves``, whether it's more than a scalar."""
    return [jnp.ndim(leaf) > 0 for leaf in jax.tree.leaves(mask)]


def apply_mask(mask: Mask, params: Params) -> Params:
    """``params`` with exact zeros where ``mask`` is ``False``, also in place of inf and NaN.

    Args:
        mask: a pytree like ``params`` of booleans that broadcast against its leaves.
        params: a pytree of arrays.

    Returns:
        A pytree like ``params``, dtypes kept.

    Raises:
        ValueError: mask and params don't match; the leaf is named.
        TypeError: a leaf of the mask isn't boolean.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> sf.apply_mask({"kernel": jnp.array([True, False])}, {"kernel": jnp.array([2.0, jnp.inf])})
    {'kernel': Array([2., 0.], dtype=float32)}
    """
    check_mask(mask, params)
    return jax.tree.map(lambda m, p: jnp.where(m, p, jnp.zeros_like(p)), mask, params)
