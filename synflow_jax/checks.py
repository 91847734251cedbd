"""Pytrees and results that the front doors refuse, each with the leaf and what to pass instead."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from synflow_jax.arguments import is_module, shown
from synflow_jax.paths import named_leaves
from synflow_jax.types import Mask, Params

ON_HOST = (
    "compression is a number on the host, and there values are checked: call sf.round_counts "
    "outside, and in place of sf.prune or sf.sweep sf.prune_rounds with these counts"
)


def check_values(trees: Mapping[str, Any], instead: str = ON_HOST) -> None:
    """All leaves of named trees have values now: none is traced, deleted or a shape alone."""
    for tree_name, tree in trees.items():
        if isinstance(tree, Iterator):
            raise TypeError(f"{tree_name} must be a pytree of arrays, got {shown(tree)}")
        for path, leaf in named_leaves(tree):
            name = _leaf_of(tree_name, path)
            if isinstance(leaf, Tracer):
                raise TypeError(f"{name} is traced by jit, vmap or grad, but {instead}")
            if isinstance(leaf, jax.ShapeDtypeStruct):
                raise TypeError(f"{name} is a shape without values; pass an array")
            check_alive(name, leaf)


def _leaf_of(tree: str, path: str) -> str:
    return f"{tree} leaf '{path}'" if path else tree


def check_alive(name: str, leaf: Any) -> None:
    """A leaf's numbers weren't given away."""
    if isinstance(leaf, jax.Array) and not isinstance(leaf, Tracer) and leaf.is_deleted():
        raise ValueError(
            f"{name} was deleted, as arrays are that a function took with donate_argnums; "
            "pass what that function returned, or a copy made before"
        )


def check_batch(batch: Any) -> None:
    """All leaves are arrays or numbers."""
    for _, leaf in named_leaves(batch):
        if not _is_array(leaf):
            raise TypeError(
                f"batch must be arrays, got {shown(leaf)}; pass one batch, such as (inputs, labels)"
            )


def check_params(params: Params, tree_name: str = "params") -> None:
    """Every leaf of params, or of what's like them, is an array of real floating-point numbers."""
    if is_module(params):
        raise TypeError(
            f"{tree_name} must be a pytree of arrays, got the module {type(params).__name__}; pass "
            "the params of sf.from_nnx(model) or sf.from_linen(module, variables)"
        )
    leaves = named_leaves(params)
    if not leaves:
        raise ValueError(f"{tree_name} has no leaves; pass the network's parameters as a pytree")
    for name, leaf in leaves:
        dtype = getattr(leaf, "dtype", None)
        if not isinstance(dtype, np.dtype) or not jnp.issubdtype(dtype, jnp.floating):
            found = type(leaf).__name__ if dtype is None else dtype
            raise TypeError(
                f"{_leaf_of(tree_name, name)} must be a floating-point array, got {found}; "
                "keep counters, keys and other state out of params (close over them in apply_fn)"
            )


def check_names(params: Params) -> None:
    """No two leaves have one name, where leaves are told apart by it."""
    seen = set()
    for name, _ in named_leaves(params):
        if name in seen:
            raise ValueError(f"params has two leaves named '{name}'; rename one of them")
        seen.add(name)


def check_mask(mask: Mask, params: Params, name: str = "params") -> None:
    """``mask`` has the structure of ``params``; its leaves are boolean and broadcast."""
    if mask is None and params is not None:
        raise TypeError(f"mask must be a pytree like {name}, got mask=None; pass sf.full_mask")
    check_structure("mask", mask, params, name)
    for (path, leaf), param in zip(named_leaves(mask), jax.tree.leaves(params), strict=True):
        _check_mask_leaf(path, leaf, param, name)


def check_structure(name: str, tree: Any, like: Any, like_name: str) -> None:
    """Two named trees have one structure."""
    if jax.tree.structure(tree) != jax.tree.structure(like):
        difference = _difference(name, tree, like, like_name)
        raise ValueError(f"{name} must have the structure of {like_name}: {difference}")


def _check_mask_leaf(path: str, leaf: Any, param: Any, name: str) -> None:
    check_alive(_leaf_of("mask", path), leaf)
    check_alive(_leaf_of(name, path), param)
    if not _is_array(param):
        raise TypeError(f"{_leaf_of(name, path)} must be an array, got {shown(param)}")
    if not _is_boolean(leaf):
        found = jnp.result_type(leaf) if _is_array(leaf) else shown(leaf)
        swapped = f"; mask and {name} may be swapped" if _is_boolean(param) else ""
        raise TypeError(f"mask leaf '{path}' must be boolean (True keeps), got {found}{swapped}")
    shape, full = jnp.shape(leaf), jnp.shape(param)
    fits = len(shape) == len(full) and all(a in (1, b) for a, b in zip(shape, full, strict=True))
    if shape and not fits:
        raise ValueError(
            f"mask leaf '{path}' has shape {shape}, which doesn't broadcast against its "
            f"parameter's {full}; use the same number of dimensions, or scalar True for a "
            "parameter that isn't prunable"
        )


def _is_array(leaf: Any) -> bool:
    """Whether JAX takes it for numbers."""
    if isinstance(leaf, np.ndarray | np.generic):
        return leaf.dtype.kind not in "OSUMm"
    return isinstance(leaf, jax.Array | jax.ShapeDtypeStruct | bool | int | float | complex)


def _is_boolean(leaf: Any) -> bool:
    return _is_array(leaf) and jnp.result_type(leaf) == jnp.bool_


def check_scalars(mask: Mask) -> None:
    """No leaf of ``mask`` is a scalar ``False``: a scalar says that a leaf isn't prunable."""
    for name, leaf in named_leaves(mask):
        if jnp.ndim(leaf) == 0 and not isinstance(leaf, Tracer) and not bool(leaf):
            raise ValueError(
                f"mask leaf '{name}' is a scalar False; to prune all of a parameter use a mask of "
                "its full shape, and scalar True for one that isn't prunable"
            )


def _difference(name: str, tree: Any, like: Any, like_name: str) -> str:
    in_tree, in_like = dict(named_leaves(tree)), dict(named_leaves(like))
    if "" in in_tree or "" in in_like:
        return f"got {shown(tree)} for {shown(like)}"
    for path in in_like:
        if path not in in_tree:
            hint = "; use scalar True for what isn't prunable" if name == "mask" else ""
            return f"{name} has no leaf '{path}'{hint}"
    for path in in_tree:
        if path not in in_like:
            return f"{name} has a leaf '{path}' that {like_name} lacks"
    return (
        f"the same leaves in different containers, {jax.tree.structure(tree)} "
        f"and {jax.tree.structure(like)}"
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
        found = jnp.result_type(leaf) if _is_array(leaf) else shown(leaf)
        if not isinstance(found, np.dtype) or not jnp.issubdtype(found, jnp.floating):
            raise TypeError(
                f"{name} must return floating-point arrays, got {found}; "
                "return the network's outputs before any argmax or cast"
            )
    if not jax.tree.leaves(outputs):
        raise TypeError(f"{name} must return floating-point arrays, got {outputs!r}")
