"""The step of an inner optimizer that sees kept weights alone, and brings pruned ones to 0."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from synflow_jax.checks import check_instance, check_mask, check_optimizer, check_structure
from synflow_jax.masks import apply_mask
from synflow_jax.types import Mask, Params


def checked_inner(inner: Any, door: str) -> optax.GradientTransformationExtraArgs:
    """``inner``, if it's an optax transformation; ``door`` is the call that would be right."""
    check_optimizer("inner", inner, door)
    return optax.with_extra_args_support(inner)


def check_update(door: str, kind: type, updates: Any, state: Any, params: Params | None) -> None:
    """What ``update`` of a wrapper is called with fits its state, which is of type ``kind``."""
    if params is None:
        raise ValueError(
            f"{door} needs the params to set pruned weights to zero; "
            "call update(grads, state, params)"
        )
    check_instance("state", state, kind, "what init returned: update(grads, state, ...)")
    check_structure("updates", updates, state.mask, "mask")
    check_structure("params", params, state.mask, "mask")
    check_mask(state.mask, updates, "updates")


def masked_step(
    inner: optax.GradientTransformationExtraArgs,
    mask: Mask,
    updates: optax.Updates,
    state: optax.OptState,
    params: Params,
    **extra: Any,
) -> tuple[optax.Updates, optax.OptState]:
    """The inner transformation's updates and state, of kept weights alone."""
    return inner.update(apply_mask(mask, updates), state, apply_mask(mask, params), **extra)


def zero_where_pruned(mask: Mask, updates: optax.Updates, params: Params) -> optax.Updates:
    """The updates, but ``-w`` where pruned, so that ``w`` becomes 0 even where it wasn't."""
    return jax.tree.map(_update_or_zero, mask, updates, params)


def _update_or_zero(mask: jax.Array, update: jax.Array, param: jax.Array) -> jax.Array:
    # In the wider of the two types, in which the parameter minus itself is 0.
    dtype = jnp.promote_types(update.dtype, param.dtype)
    return jnp.where(mask, update.astype(dtype), -param.astype(dtype))
