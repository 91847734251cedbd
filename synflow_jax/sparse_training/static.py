"""An optax wrapper that keeps pruned weights at zero while any inner transformation trains."""

from typing import Any

import optax

from synflow_jax.checks import check_mask
from synflow_jax.copies import own_copy
from synflow_jax.masks import apply_mask
from synflow_jax.sparse_training.masked import (
    check_update,
    checked_inner,
    masked_step,
    zero_where_pruned,
)
from synflow_jax.sparse_training.states import SparseState
from synflow_jax.types import Mask, Params


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
    inner = checked_inner(inner, "keep_params_sparse(optax.adam(1e-3), mask)")

    def init(params: Params) -> SparseState:
        check_mask(mask, params)
        return SparseState(own_copy(mask), inner.init(apply_mask(mask, params)))

    def update(
        updates: optax.Updates, state: Any, params: Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, SparseState]:
        check_update("keep_params_sparse", SparseState, updates, state, params)
        mask = state.mask
        updates, inner_state = masked_step(inner, mask, updates, state.inner, params, **extra)
        return zero_where_pruned(mask, updates, params), SparseState(mask, inner_state)

    return optax.GradientTransformationExtraArgs(init, update)
