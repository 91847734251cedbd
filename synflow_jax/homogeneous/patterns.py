"""Activation patterns: where the ReLUs of the real network are open on real inputs."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal, Var

Patterns = dict[int, deque[jax.Array]]
"""By the identity of an equation ``max(x, bound)``: for each time that it's done, where x is the
larger, bool."""


def relu_patterns(
    closed: ClosedJaxpr,
    params: Sequence[Any],
    inputs: Sequence[Any],
    inner_of: Callable[[JaxprEqn], ClosedJaxpr | None],
) -> Patterns:
    """The patterns of a function of params and inputs, in the order in which it does things.

    Args:
        closed: the function.
        params: its first arguments.
        inputs: its others; what depends on them has patterns.
        inner_of: ``inner_of(equation)``, the function that an equation calls once, or None.
    """
    found: Patterns = {}

    def run(closed: ClosedJaxpr, arrays: Sequence[Any], flowing: Sequence[bool]) -> Any:
        jaxpr = closed.jaxpr
        values: dict[Var, tuple[Any, bool]] = {}
        values.update(
            zip(jaxpr.constvars, ((const, False) for const in closed.consts), strict=True)
        )
        values.update(zip(jaxpr.invars, zip(arrays, flowing, strict=True), strict=True))

        def read(atom: Var | Literal) -> tuple[Any, bool]:
            return (atom.val, False) if isinstance(atom, Literal) else values[atom]

        for equation in jaxpr.eqns:
            given = [read(atom) for atom in equation.invars]
            own, flows = [array for array, _ in given], [flow for _, flow in given]
            inner = inner_of(equation)
            if inner:
                results = run(inner, own, flows)
            else:
                if equation.primitive.name == "max" and sum(flows) == 1:
                    x, bound = own if flows[0] else own[::-1]
                    found.setdefault(id(equation), deque()).append(jnp.greater(x, bound))
                results = [(result, any(flows)) for result in _bound(equation, own)]
            values.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    run(closed, [*params, *inputs], [False] * len(params) + [True] * len(inputs))
    return found


def _bound(equation: JaxprEqn, arrays: Sequence[Any]) -> list[Any]:
    params = equation.primitive.get_bind_params(equation.params)
    with equation.ctx.manager:
        results = equation.primitive.bind(*arrays, **params)
    return list(results) if equation.primitive.multiple_results else [results]
