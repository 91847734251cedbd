"""Masks: boolean pytrees that broadcast against their params."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import NamedSharding

from synflow_jax.checks import (
    check_callable,
    check_mask,
    check_names,
    check_params,
    leaf_name,
    named_leaves,
)
from synflow_jax.types import Mask, Params, Prunable


def is_kernel(path: str, leaf: Any) -> bool:
    """Whether a leaf has two or more dimensions, the default of ``prunable``.

    Kernels of dense and convolutional layers have; biases and the scales of normalization haven't.

    Args:
        path: the leaf's name, such as ``"conv1/kernel"``, which doesn't matter here.
        leaf: an array.

    Returns:
        A bool.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> sf.is_kernel("dense/kernel", jnp.zeros((2, 3)))
    True
    >>> sf.is_kernel("dense/bias", jnp.zeros(3))
    False
    """
    del path
    return leaf.ndim >= 2


def full_mask(params: Params, prunable: Prunable = is_kernel) -> Mask:
    """The mask that keeps every weight.

    Args:
        params: a pytree of floating-point arrays.
        prunable: ``prunable(path, leaf) -> bool``, with a path such as ``"conv1/kernel"``; by
            default two dimensions or more.

    Returns:
        A pytree like ``params``: ``True`` in the parameter's shape, and with its sharding, where
        prunable, and scalar ``True`` elsewhere.

    Raises:
        ValueError: params have no leaves, nothing is prunable, a parameter without dimensions is,
            or ``prunable`` is given and two leaves have one name.
        TypeError: a leaf of params isn't floating-point, or ``prunable`` isn't a function of path
            and leaf.

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
            return jax.device_put(np.True_)
        if leaf.ndim == 0:
            raise ValueError(
                f"params leaf '{name}' is a scalar, which can't be told from an unprunable one in "
                "a mask; let prunable(path, leaf) be False where leaf.ndim == 0"
            )
        return _ones_like(leaf)

    mask = jax.tree_util.tree_map_with_path(leaf_mask, params)
    if not any(prunable_leaves(mask)):
        shapes = {name: leaf.shape for name, leaf in named_leaves(params)}
        raise ValueError(f"nothing is prunable among {shapes}; pass another prunable(path, leaf)")
    return mask


def _ones_like(leaf: Any) -> jax.Array:
    if isinstance(leaf, Tracer):
        return jnp.ones(leaf.shape, bool)
    if isinstance(leaf, jax.Array) and isinstance(leaf.sharding, NamedSharding):
        return jnp.ones(leaf.shape, bool, device=leaf.sharding)
    # What the host fills isn't compiled, which takes a while for each shape.
    return jax.device_put(np.ones(leaf.shape, bool))


def prunable_leaves(mask: Mask) -> list[bool]:
    """For each leaf in the order of ``jax.tree.leaves``, whether it's more than a scalar."""
    return [jnp.ndim(leaf) > 0 for leaf in jax.tree.leaves(mask)]


def apply_mask(mask: Mask, params: Params) -> Params:
    """``params`` with exact zeros where ``mask`` is ``False``, also where they are inf or NaN.

    Args:
        mask: a pytree like ``params`` of booleans that broadcast against its leaves.
        params: a pytree of arrays.

    Returns:
        A pytree like ``params``, with the params' shapes and dtypes.

    Raises:
        ValueError: mask and params don't match; the leaf is named.
        TypeError: a leaf of the mask isn't boolean, or one of params isn't an array.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> sf.apply_mask({"kernel": jnp.array([True, False])}, {"kernel": jnp.array([2.0, jnp.inf])})
    {'kernel': Array([2., 0.], dtype=float32)}
    """
    check_mask(mask, params)
    traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((mask, params)))
    return jax.tree.map(_zeroed if traced else _compiled, mask, params)


def _zeroed(mask: Any, param: Any) -> jax.Array:
    return jnp.where(mask, param, jnp.zeros_like(param))


# Of one leaf, since leaves may be on several devices.
_compiled = jax.jit(_zeroed)
