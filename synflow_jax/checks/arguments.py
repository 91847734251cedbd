"""Numbers, functions and keys that the front doors refuse, each with what to pass instead."""

import inspect
import math
import numbers
import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from synflow_jax.types import Selection


def shown(value: Any) -> str:
    """A value within a message: scalars as they are, arrays by type and shape, others by type."""
    if value is None or isinstance(value, str | numbers.Number | np.generic):
        return repr(value)
    if isinstance(value, jax.Array | np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    return getattr(value, "__name__", type(value).__name__)


def check_number(name: str, value: Any, instead: str) -> float:
    """``value`` as a float: one real number, or an array that holds one."""
    one = _only_element(value)
    if not isinstance(one, numbers.Real) or isinstance(one, bool):
        raise TypeError(f"{name} must be a number, got {name}={shown(value)}; pass {instead}")
    try:
        return float(one)
    except OverflowError:
        return math.inf


def _only_element(value: Any) -> Any:
    array = isinstance(value, jax.Array | np.ndarray | np.generic) and not isinstance(value, Tracer)
    one = array and value.size == 1 and isinstance(value.dtype, np.dtype)
    return value.item() if one else value


def check_compression(compression: Any) -> float:
    """``compression`` as a float that is finite and at least 1."""
    compression = check_number("compression", compression, "a number such as 10.0")
    if not 1 <= compression < math.inf:
        raise ValueError(
            "compression (weights before / weights after) must be finite and >= 1, "
            f"got compression={compression:g}"
        )
    return compression


def check_compressions(compressions: Any) -> int:
    """How many there are: a sequence or an array of one dimension that isn't empty."""
    array = hasattr(compressions, "__array__")
    several = isinstance(compressions, Sequence) and not isinstance(compressions, str | bytes)
    if not (np.ndim(compressions) == 1 if array else several):
        raise TypeError(
            "compressions must be a sequence of numbers or an array of one dimension, "
            f"got compressions={shown(compressions)}; pass a list such as [2.0, 10.0]"
        )
    if not len(compressions):
        raise ValueError("compressions is empty; pass one for each member of the sweep")
    return len(compressions)


def check_whole(name: str, value: Any) -> int:
    """``value`` as an int."""
    try:
        if isinstance(value, bool | np.bool_ | Tracer):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} must be a whole number, got {name}={shown(value)}; pass an int"
        ) from None


def check_rounds(rounds: Any, name: str = "rounds") -> int:
    """``rounds``, or what else ``name`` says, as an int that is at least 1."""
    whole = check_whole(name, rounds)
    if whole < 1:
        raise ValueError(f"{name} must be >= 1, got {name}={whole}")
    return whole


def check_pair(name: str, value: Any, instead: str) -> tuple[int, int]:
    """``value`` as two ints that are at least 1."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(value) != 2:
        raise TypeError(
            f"{name} must be two whole numbers, got {name}={shown(value)}; pass {instead}"
        )
    first, second = (check_rounds(each, f"{name}[{i}]") for i, each in enumerate(value))
    return first, second


def check_bool(name: str, value: Any) -> bool:
    """``value`` as a bool, which no string or number is taken for."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be a bool, got {name}={shown(value)}; pass True or False")
    return bool(value)


def check_instance(name: str, value: Any, kind: type, instead: str) -> None:
    """``value`` is of one type."""
    if not isinstance(value, kind):
        raise TypeError(
            f"{name} must be of type {kind.__name__}, got {name}={shown(value)}; pass {instead}"
        )


def check_callable(name: str, fn: Any, arguments: str, instead: str) -> None:
    """``fn`` takes positional ``arguments``, as in "params, inputs", if that's known of it."""
    must = f"{name} must be a function of ({arguments})"
    if not callable(fn) or inspect.isclass(fn):
        raise TypeError(f"{must}, got {name}={shown(fn)}; pass {instead}")
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*arguments.split(", "))
    except TypeError:
        raise TypeError(f"{must}, but {shown(fn)} takes {signature}; pass {instead}") from None


def check_optimizer(name: str, optimizer: Any, instead: str) -> None:
    """An Optax transformation, and not what makes one."""
    functions = (getattr(optimizer, part, None) for part in ("init", "update"))
    if isinstance(optimizer, type) or not all(callable(function) for function in functions):
        raise TypeError(
            f"{name} must be an optax transformation, got {name}={shown(optimizer)}; pass {instead}"
        )


def check_params_fn(name: str, fn: Any, arguments: str, instead: str) -> None:
    """A function whose first argument is the params, which a module isn't."""
    if is_module(fn):
        raise TypeError(
            f"{name} must be a function of ({arguments}), got the module {type(fn).__name__}; "
            "sf.from_nnx(model) and sf.from_linen(module, variables) give apply_fn and params"
        )
    check_callable(name, fn, arguments, instead)


def is_module(value: Any) -> bool:
    """Whether it's a Flax module, told without an import of Flax."""
    kinds = type(value).__mro__
    return any(k.__name__ == "Module" and k.__module__.startswith("flax.") for k in kinds)


def check_score_fn(score_fn: Any) -> None:
    """A score function, and not what makes one."""
    instead = "sf.synflow(apply_fn, inputs), sf.magnitude() or your own"
    if inspect.isfunction(score_fn) and score_fn.__module__.startswith("synflow_jax."):
        given = inspect.signature(score_fn).parameters.values()
        needed = ", ".join(each.name for each in given if each.default is each.empty)
        instead = f"sf.{score_fn.__name__}({needed}), not sf.{score_fn.__name__}"
    check_params_fn("score_fn", score_fn, "params, mask, batch, key", instead)
    _check_hashable("score_fn", score_fn)


def check_selection(select: Any) -> None:
    """A `Selection` that compiled code can be kept for."""
    check_instance("select", select, Selection, "sf.global_top_k or sf.local_top_k")
    check_callable("select.counts", select.counts, "sizes, densities", "sf.global_top_k.counts")
    check_callable("select.keep", select.keep, "scores, row", "sf.global_top_k.keep")
    check_bool("select.shapes", select.shapes)
    if check_whole("select.slack", select.slack) < 0:
        raise ValueError(f"select.slack must be >= 0, got select.slack={select.slack}")
    _check_hashable("select", select)


def _check_hashable(name: str, value: Any) -> None:
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"{name} must be hashable, since what's compiled is kept for it, got {shown(value)}; "
            "pass a function, or an object that keeps its hash"
        ) from None


def check_key(key: Any, name: str = "key") -> None:
    """One JAX key, of either kind, or None."""
    if key is not None and _key_shape(key) != ():
        raise TypeError(
            f"{name} must be one JAX key, got {name}={shown(key)}; pass jax.random.key(0)"
        )


def check_keys(keys: Any, members: int) -> None:
    """A key for each member, in one array, or None."""
    shape = () if keys is None else _key_shape(keys)
    if keys is not None and (shape is None or len(shape) != 1):
        raise TypeError(
            f"keys must be an array of JAX keys, one for each compression, got keys={shown(keys)}; "
            f"pass jax.random.split(key, {members})"
        )
    if shape and shape[0] != members:
        raise ValueError(
            f"got {shape[0]} keys for {members} compressions; pass one for each, keys="
            f"jax.random.split(key, {members})"
        )


def _key_shape(key: Any) -> tuple[int, ...] | None:
    """The shape of an array of keys, also of raw ones, which are uint32; None of anything else."""
    if not isinstance(key, jax.Array | np.ndarray):
        return None
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        return key.shape
    try:
        return jax.eval_shape(jax.random.wrap_key_data, key).shape
    except (TypeError, ValueError):
        return None
