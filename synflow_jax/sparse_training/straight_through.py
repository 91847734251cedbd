"""The straight-through estimator: masked weights in the forward pass, gradients of all."""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax

from synflow_jax.checks import check_params_fn
from synflow_jax.masks import apply_mask
from synflow_jax.types import Mask, Params


def straight_through(mask_fn: Callable[[Params], Mask], params: Params) -> Params:
    """``params`` with exact zeros where ``mask_fn(params)`` is False, and gradients as if not.

    ``dL/dw`` of each weight w, pruned or not, is that of the masked weight in its place: weights
    that the mask leaves out go on training, and come back when it takes them in (Bengio et al.
    2013, arXiv:1308.3432; with the highest magnitudes in the forward pass, Jayakumar et al. 2020,
    Top-KAST, arXiv:2106.03517). Use it in the loss, and any optimizer without a mask.

    Args:
        mask_fn: ``mask_fn(params) -> mask``; it may run under ``jit`` and isn't differentiated.
        params: a pytree of floating-point arrays.

    Returns:
        A pytree like ``params``, with their shapes and dtypes.

    Raises:
        ValueError: mask and params don't match.
        TypeError: ``mask_fn`` isn't a function of params, or a leaf of its mask isn't boolean.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[0.1, -0.4], [0.3, 0.2]])}
    >>> counts = sf.round_counts(sf.full_mask(params), 2, 1, sf.exponential, sf.global_top_k)
    >>> def highest(params):
    ...     return sf.prune_rounds(sf.magnitude(), params, sf.full_mask(params), counts)[0]
    >>> sf.straight_through(highest, params)["kernel"]
    Array([[ 0. , -0.4],
           [ 0.3,  0. ]], dtype=float32)
    >>> jax.grad(lambda p: jnp.sum(sf.straight_through(highest, p)["kernel"]))(params)["kernel"]
    Array([[1., 1.],
           [1., 1.]], dtype=float32)
    """
    check_params_fn("mask_fn", mask_fn, "params", "a function that returns a mask")
    return _masked(mask_fn(lax.stop_gradient(params)), params)


@jax.custom_jvp
def _masked(mask: Mask, params: Params) -> Params:
    return apply_mask(mask, params)


@_masked.defjvp
def _masked_jvp(primals: tuple[Mask, Params], tangents: tuple[Any, Params]) -> tuple[Any, Any]:
    return _masked(*primals), tangents[1]
