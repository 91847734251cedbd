"""The states of optimizers with a mask."""

from typing import Any, NamedTuple

import jax
import optax

from synflow_jax.types import Mask


class SparseState(NamedTuple):
    """State of `keep_params_sparse`.

    Attributes:
        mask: the mask in force, boolean arrays that broadcast against the params; swap it with
            ``state._replace(mask=new_mask)``.
        inner: the wrapped transformation's state, a pytree.
    """

    mask: Mask
    inner: optax.OptState


class ChangingState(NamedTuple):
    """State of `prune_gradually` and `rewire`.

    Attributes:
        mask: the mask in force: boolean arrays of the parameter's shape where prunable, scalar
            ``True`` elsewhere.
        step: updates done, an int32 scalar.
        key: the random key that each change folds its step into, or None.
        inner: the wrapped transformation's state, a pytree.
    """

    mask: Mask
    step: jax.Array
    key: Any
    inner: optax.OptState
