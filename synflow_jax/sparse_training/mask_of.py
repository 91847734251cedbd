"""The mask within the state of an optimizer."""

from typing import Any

import jax

from synflow_jax.checks import shown
from synflow_jax.sparse_training.states import ChangingState, SparseState
from synflow_jax.types import Mask


def mask_of(state: Any) -> Mask:
    """The mask in an optimizer's state, however deep `optax.chain` and others have put it.

    Args:
        state: any pytree with the state of `keep_params_sparse`, `prune_gradually` or `rewire` in
            it, such as a Linen ``TrainState``, or ``nnx.as_pure(optimizer.opt_state)`` of a Flax
            NNX optimizer.

    Returns:
        The mask in force: a pytree like the params, with boolean leaves.

    Raises:
        ValueError: there is no such state, or more than one.

    >>> import jax.numpy as jnp
    >>> import optax
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.ones((1, 2))}
    >>> mask = {"kernel": jnp.array([[True, False]])}
    >>> tx = optax.chain(optax.clip(1.0), sf.keep_params_sparse(optax.adam(1e-3), mask))
    >>> sf.mask_of(tx.init(params))["kernel"]
    Array([[ True, False]], dtype=bool)
    """
    found = [each.mask for each in jax.tree.leaves(state, is_leaf=_has_mask) if _has_mask(each)]
    if len(found) != 1:
        raise ValueError(
            f"state must hold one state of sf.keep_params_sparse, sf.prune_gradually or sf.rewire, "
            f"got {len(found)} in {shown(state)}; pass what init or update returned"
        )
    return found[0]


def _has_mask(node: Any) -> bool:
    return isinstance(node, SparseState | ChangingState)
