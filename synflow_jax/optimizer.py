"""An optax wrapper that keeps pruned weights at zero while any inner transformation trains."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from synflow_jax.checks import check_instance, check_mask, check_structure, shown
from synflow_jax.masks import apply_mask
from synflow_jax.types import Mask, Params


class SparseState(NamedTuple):
    """State of `keep_params_sparse`.

    Attributes:
        mask: the mask in force, boolean arrays that broadcast against the params; swap it with
            ``state._replace(mask=new_mask)``.
        inner: the wrapped transformation's state, a pytree.
    """

    mask: Mask
    inner: optax.OptState


def keep_params_sparse(
    inner: optax.GradientTransformation, mask: Mask
) -> optax.GradientTransformationExtraArgs:
    """Wraps ``inner`` so that pruned weights are exactly 0 after every step.

    With mask ``m``, gradients ``g`` and params ``w``, the inner transformation sees ``m * g`` and
    ``m * w``, and its updates ``u`` come out as ``u`` where ``m`` and ``-w`` elsewhere: the next
    ``w + u`` is 0 even where ``w`` wasn't, whatever momentum, weight decay or adaptive rates do.
    Put it outermost: what wraps it could change the ``-w``.

    Args:
        inner: any optax transformation.
        mask: a pytree like the params of booleans that broadcast against its leaves.

    Returns:
        A transformation with a `SparseState`, which holds the mask so that checkpoints have it too.
        ``update`` requires ``params``, which must be finite where pruned. Updates have the params'
        shapes, in the wider of the types of the inner update and the parameter.

    Raises:
        ValueError: in ``init``, mask and params don't match; in ``update``, params are missing, or
            gradients or params don't match the mask.
        TypeError: ``inner`` isn't an optax transformation; in ``init``, a leaf of the mask isn't
            boolean; in ``update``, the state isn't a `SparseState`.

    >>> import jax.numpy as jnp
    >>> import optax
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([1.0, 2.0])}
    >>> tx = sf.keep_params_sparse(optax.adamw(0.1), {"kernel": jnp.array([True, False])})
    >>> state = tx.init(params)
    >>> updates, state = tx.update({"kernel": jnp.ones(2)}, state, params)
    >>> optax.apply_updates(params, updates)["kernel"][1]
    Array(0., dtype=float32)
    """
    if isinstance(inner, type) or not all(
        callable(getattr(inner, name, None)) for name in ("init", "update")
    ):
        raise TypeError(
            f"inner must be an optax transformation, got inner={shown(inner)}; pass "
            "keep_params_sparse(optax.adam(1e-3), mask)"
        )
    inner = optax.with_extra_args_support(inner)

    def init(params: Params) -> SparseState:
        check_mask(mask, params)
        # A copy, so that donating the state leaves the caller's mask alone.
        own = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), mask)
        return SparseState(own, inner.init(apply_mask(mask, params)))

    def update(
        updates: optax.Updates, state: Any, params: Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, SparseState]:
        if params is None:
            raise ValueError(
                "keep_params_sparse needs the params to set pruned weights to zero; "
                "call update(grads, state, params)"
            )
        check_instance("state", state, SparseState, "what init returned: update(grads, state, ...)")
        check_structure("updates", updates, state.mask, "mask")
        check_structure("params", params, state.mask, "mask")
        check_mask(state.mask, updates, "updates")
        updates, inner_state = inner.update(
            apply_mask(state.mask, updates), state.inner, apply_mask(state.mask, params), **extra
        )
        return jax.tree.map(_update_or_zero, state.mask, updates, params), SparseState(
            state.mask, inner_state
        )

    return optax.GradientTransformationExtraArgs(init, update)


def _update_or_zero(mask: jax.Array, update: jax.Array, param: jax.Array) -> jax.Array:
    # In the wider of the two types, in which the parameter minus itself is 0.
    dtype = jnp.promote_types(update.dtype, param.dtype)
    return jnp.where(mask, update.astype(dtype), -param.astype(dtype))
