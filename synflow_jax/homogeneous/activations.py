"""Functions that stand for the positive part, known by their code."""

import inspect
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import jax

from synflow_jax.checks import frames
from synflow_jax.homogeneous.equations import Site
from synflow_jax.homogeneous.registered import note
from synflow_jax.homogeneous.scaled import Scaled
from synflow_jax.homogeneous.values import Value


def _code(fn: Callable[..., Any]) -> CodeType:
    code = getattr(inspect.unwrap(getattr(fn, "fun", fn)), "__code__", None)
    if code is None:
        raise TypeError(f"an activation must be a Python function, got {fn!r}; name the function")
    return code


# The code of functions whose every step stands for the positive part. Names don't tell: some of
# these functions are inlined where they are called. The keys are identities, since the codes of two
# lambdas on one line can be equal.
_ACTIVATIONS = {
    id(code): code
    for code in map(
        _code,
        (
            jax.nn.celu,
            jax.nn.elu,
            jax.nn.gelu,
            jax.nn.hard_silu,
            jax.nn.leaky_relu,
            jax.nn.mish,
            jax.nn.relu,
            jax.nn.relu6,
            jax.nn.selu,
            jax.nn.silu,
            jax.nn.softplus,
        ),
    )
}
# Functions that are made of activations and aren't activations themselves.
_OTHERS = {id(code): code for code in [_code(jax.nn.hard_sigmoid)]}


def _in_any(functions: dict[int, CodeType], site: Site) -> bool:
    return any(id(frame.code) in functions for frame in frames(site))


def _in_other(site: Site | None) -> bool:
    return site is not None and (_in_any(_OTHERS, site) or _in_other(site.outer))


def in_activation(site: Site) -> bool:
    """Whether an equation is a step of a function that stands for the positive part."""
    return _in_any(_ACTIVATIONS, site) and not _in_other(site)


def in_bounded(site: Site) -> bool:
    """Whether an equation is a step of a function that is made of activations and is a gate."""
    return _in_other(site)


def register_activation(fn: Callable[..., Any]) -> None:
    """Says that ``fn(x)`` stands for the positive part of x: the identity in the linear network.

    ``fn`` may do nothing else than compute the activation of one array, as ``jax.nn.gelu`` does.
    It's known by its code, so every function that one ``def`` or ``lambda`` made is registered with
    it. `prune`, `sweep` and `tickets` compile anew after it; what you put under ``jax.jit``
    yourself and called before stays as it was.

    Args:
        fn: a Python function, or one under ``jax.jit``.

    Raises:
        TypeError: ``fn`` isn't a Python function, or it's an operation of JAX's own that other
            functions are made of, such as ``jnp.tanh``.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> def shifted_swish(x):
    ...     return x / (1 + jnp.exp(-2 * x))
    >>> sf.homogeneous.register_activation(shifted_swish)
    >>> weight = jnp.array([[3.0, -4.0]])
    >>> sf.flow(lambda w, x: shifted_swish(x @ w), weight, jnp.ones((1, 1))).log2
    Array(2.807355, dtype=float32)
    """
    code = _code(fn)
    if getattr(fn, "__module__", None) in ("jax.numpy", "jax.lax") or "/jax/_src/" in (
        Path(code.co_filename).as_posix()
    ):
        raise TypeError(
            f"{fn!r} is an operation of JAX's own, which other functions are made of; put it into "
            "a function of yours and register that"
        )
    _ACTIVATIONS[id(code)] = code
    note(code)


def activated(site: Site, flow: Scaled, *others: Scaled) -> list[Value]:
    """The results of a step of an activation: the flow itself."""
    if others:
        raise site.refuse("an activation of more than one value that depends on the input")
    for var in site.equation.outvars:
        if getattr(var.aval, "shape", None) != flow.shape:
            raise site.refuse("an activation that changes the shape")
    return [flow] * len(site.equation.outvars)
