"""Equations of a jaxpr: what they do to coefficients, and where they are in the source."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

from synflow_jax.checks import source_line
from synflow_jax.homogeneous.patterns import Patterns
from synflow_jax.homogeneous.signs import Sign, result_sign
from synflow_jax.homogeneous.values import Coefficient, is_narrow, widened


class NonHomogeneousError(ValueError):
    """The network does something that isn't positively homogeneous in its input."""

    __module__ = "synflow_jax"  # where users find it


class Mode(NamedTuple):
    """Which linear network it is.

    Attributes:
        biases: whether what is added to the flow takes part, a bool.
        paths: whether the network is that of 0 and 1, a bool.
        patterns: where ReLUs let the flow through; None if they are the identity.
        branches: whether attention, normalization and gates are known, a bool.
    """

    biases: bool
    paths: bool = False
    patterns: Patterns | None = None
    branches: bool = False


class Site(NamedTuple):
    """Where a rule is applied.

    Attributes:
        equation: the operation, with its ``params`` and its line in the user's source.
        mode: which linear network it is.
        outer: the site of the call whose function the equation is in; None at the top.
    """

    equation: JaxprEqn
    mode: Mode
    outer: "Site | None"

    @property
    def biases(self) -> bool:
        """Whether what is added to the flow takes part."""
        return self.mode.biases

    def bind(self, *args: Any) -> Any:
        """What the operation itself returns, given arrays."""
        return bind(self.equation, *args)

    def refuse(self, why: str) -> NonHomogeneousError:
        """The error that says where and why, and what to do."""
        more = (
            "" if self.mode.branches else "through='attention' for attention, LayerNorm and gates, "
        )
        return NonHomogeneousError(
            f"'{self.equation.primitive.name}' at {source_line(self)}: {why}. "
            "SynFlow needs a network that is linear once weights and activations are nonnegative; "
            f"pass {more}the apply_fn of such a network, or say what the operation does there with "
            "sf.homogeneous.register (or sf.homogeneous.register_activation for a function that "
            "stands for the positive part)"
        )


def bind(equation: JaxprEqn, *args: Any) -> Any:
    """What an equation's operation returns, given arrays; float16 is computed in float32."""
    params = equation.primitive.get_bind_params(widened_params(equation))
    if _has_inner_jaxpr(equation.params):
        args = _as_declared(equation, args)
    with equation.ctx.manager:
        return jax.tree.map(widened, equation.primitive.bind(*args, **params))


def widened_params(equation: JaxprEqn) -> dict[str, Any]:
    """An equation's parameters, with float32 for narrower types."""
    return {
        name: np.dtype(np.float32) if isinstance(value, np.dtype) and is_narrow(value) else value
        for name, value in equation.params.items()
    }


def _has_inner_jaxpr(params: dict[str, Any]) -> bool:
    return any(
        isinstance(each, (Jaxpr, ClosedJaxpr))
        for value in params.values()
        for each in (value if isinstance(value, tuple) else (value,))
    )


def _as_declared(equation: JaxprEqn, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Operands in the types that an inner jaxpr was made for."""
    dtypes = [getattr(var.aval, "dtype", np.dtype(np.float32)) for var in equation.invars]
    return tuple(
        arg.astype(dtype) if is_narrow(dtype) else arg
        for arg, dtype in zip(args, dtypes, strict=True)
    )


def constant(equation: JaxprEqn, operands: list[Coefficient]) -> list[Coefficient]:
    """The results of an operation on coefficients alone, which is done as it is."""
    results = _listed(equation, bind(equation, *(operand.value for operand in operands)))
    known = _known(equation, operands)
    if equation.primitive.name in ONE_TO_ONE:
        return [
            Coefficient(result, operand.trained, operand.sign, operand.known)
            for operand, result in zip(operands, results, strict=True)
        ]

    def number(index: int) -> Any:
        return None if known is None else functools.cache(lambda: known()[index])

    return [_described(equation, operands, r, number(i)) for i, r in enumerate(results)]


# Operations that return each of their operands.
ONE_TO_ONE = frozenset("device_put optimization_barrier pcast pvary".split())


def _listed(equation: JaxprEqn, results: Any) -> list[Any]:
    return list(results) if equation.primitive.multiple_results else [results]


def _known(equation: JaxprEqn, operands: list[Coefficient]) -> Any:
    """A function that gives the results' numbers, if those of all operands are known."""
    numbers = [operand.known for operand in operands if operand.known]
    if len(numbers) < len(operands) or equation.effects or _is_collective(equation.params):
        return None

    def evaluate() -> list[Any]:
        with jax.ensure_compile_time_eval():
            return _listed(equation, bind(equation, *(number() for number in numbers)))

    return functools.cache(evaluate)


def _is_collective(params: dict[str, Any]) -> bool:
    axes = params.get("axis_name", params.get("axes", ()))
    return any(isinstance(axis, str) for axis in (axes if isinstance(axes, tuple) else (axes,)))


def _described(
    equation: JaxprEqn, operands: list[Coefficient], result: Any, known: Any
) -> Coefficient:
    """A result, with what is known of it."""
    trained = any(operand.trained for operand in operands)
    floats = [operand for operand in operands if _is_float(operand.value)]
    # Where integers or booleans depend on the params, values decide: a gradient wouldn't tell.
    decides = any(o.trained and not _is_float(o.value) for o in operands) or not _is_float(result)
    if trained and decides:
        return Coefficient(result, trained=True, sign=Sign.MIXED)
    sign = result_sign(
        equation.primitive.name,
        equation.params,
        [operand.known_sign() if trained else operand.sign for operand in floats],
        [operand.trained for operand in floats],
    )
    return Coefficient(result, trained, sign, known)


def _is_float(array: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(array), jnp.floating)
