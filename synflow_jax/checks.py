"""What the front doors refuse, each with the values and what to do."""

import math
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from synflow_jax.paths import named_leaves
from synflow_jax.types import Mask, Params


def check_compression(compression: float) -> float:
    """``compression`` as a float that is finite and at least 1."""
    compression = float(compression)
    if not 1 <= compression < math.inf:
        raise ValueError(
            "compression (weights before / weights after) must be finite and >= 1, "
            f"got compression={compression:g}"
        )
    return compression


def check_rounds(rounds: int, name: str = "rounds") -> int:
    """``rounds`` as an int that is at least 1."""
    try:
        count = operator.index(rounds)
    except TypeError as error:
        raise TypeError(f"{name} must be a whole number, got {name}={rounds!r}") from error
    if count < 1:
        raise ValueError(f"{name} must be >= 1, got {name}={count}")
    return count


def check_params(params: Params) -> None:
    """Every leaf is an array of real floating-point numbers."""
    leaves = named_leaves(params)
    if not leaves:
        raise ValueError("params has no leaves; pass the network's parameters as a pytree")
    for name, leaf in leaves:
        dtype = getattr(leaf, "dtype", None)
        if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
            found = type(leaf).__name__ if dtype is None else dtype
            raise TypeError(
                f"params leaf '{name}' must be a floating-point array, got {found}; "
                "keep counters, keys and other state out of params (close over them in apply_fn)"
            )


def check_mask(mask: Mask, params: Params) -> None:
    """``mask`` has the structure of ``params``; its leaves are boolean and broadcast."""
    if jax.tree.structure(mask) != jax.tree.structure(params):
        raise ValueError(f"mask and params differ in structure: {_difference(mask, params)}")
    for (name, leaf), param in zip(named_leaves(mask), jax.tree.leaves(params), strict=True):
        if jnp.result_type(leaf) != jnp.bool_:
            raise TypeError(
                f"mask leaf '{name}' must be boolean (True keeps), got {jnp.result_type(leaf)}"
            )
        shape, full = jnp.shape(leaf), jnp.shape(param)
        fits = len(shape) == len(full) and all(
            a in (1, b) for a, b in zip(shape, full, strict=True)
        )
        if shape and not fits:
            raise ValueError(
                f"mask leaf '{name}' has shape {shape}, which doesn't broadcast against its "
                f"parameter's {full}; use the same number of dimensions, or scalar True for a "
                "parameter that isn't prunable"
            )


def check_scalars(mask: Mask) -> None:
    """No leaf of ``mask`` is a scalar ``False``: a scalar says that a leaf isn't prunable."""
    for name, leaf in named_leaves(mask):
        if jnp.ndim(leaf) == 0 and not isinstance(leaf, Tracer) and not bool(leaf):
            raise ValueError(
                f"mask leaf '{name}' is a scalar False; to prune all of a parameter use a mask of "
                "its full shape, and scalar True for one that isn't prunable"
            )


def _difference(mask: Mask, params: Params) -> str:
    in_mask, in_params = dict(named_leaves(mask)), dict(named_leaves(params))
    for name in in_params:
        if name not in in_mask:
            return f"mask has no leaf '{name}'; use scalar True for what isn't prunable"
    for name in in_mask:
        if name not in in_params:
            return f"mask has a leaf '{name}' that params lacks"
    return (
        f"the same leaves in different containers, {jax.tree.structure(mask)} "
        f"and {jax.tree.structure(params)}"
    )


def called(name: str, fn: Callable[..., Any], params: Params, data: Any) -> Any:
    """``fn(params, data)``; its failure becomes a ValueError that says what it was given."""
    try:
        return fn(params, data)
    except Exception as error:
        shapes = jax.tree.map(
            lambda x: f"{getattr(x, 'dtype', type(x).__name__)}{list(np.shape(x))}", data
        )
        raise ValueError(
            f"{name}(params, ...) failed on data of {shapes}: {type(error).__name__}: {error}"
        ) from error


def check_float_output(name: str, outputs: Any) -> None:
    """All leaves of what a user's function returned are floating-point."""
    for leaf in jax.tree.leaves(outputs):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise TypeError(
                f"{name} must return floating-point arrays, got {jnp.result_type(leaf)}; "
                "return the network's outputs before any argmax or cast"
            )
    if not jax.tree.leaves(outputs):
        raise TypeError(f"{name} must return floating-point arrays, got {outputs!r}")
