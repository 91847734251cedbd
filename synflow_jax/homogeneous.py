"""The linear network behind a network: its flow, finite at any depth.

With nonnegative weights and inputs every positively homogeneous activation is the identity, and
the network is linear in each of its layers. Here a function's jaxpr is interpreted as that linear
network, each intermediate value held as mantissa * 2 ** exponent. What has no place in a linear
network is refused with its line in the user's source.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Primitive, Var

from synflow_jax.equations import (
    Coefficient,
    NonHomogeneousError,
    Site,
    Value,
    constant,
    literal,
)
from synflow_jax.linear_rules import RULES, Rule, all_unfolded, flow_of, unfolding
from synflow_jax.repeats import held_once
from synflow_jax.scaled import Scaled, joined_exponent, normalized, scaled, unfolded


class _Lines(NamedTuple):
    """The lines of a function's source."""

    file: str
    name: str
    first: int
    last: int


def _lines(fn: Callable[..., Any]) -> _Lines:
    code = getattr(inspect.unwrap(getattr(fn, "fun", fn)), "__code__", None)
    if code is None:
        raise TypeError(f"an activation must be a Python function, got {fn!r}; name the function")
    last = max(line for *_, line in code.co_lines() if line)
    return _Lines(code.co_filename, code.co_name, code.co_firstlineno, last)


# Functions whose every step stands for the positive part, known by their place in the source:
# some are inlined where they are called and leave no name.
_ACTIVATIONS = {
    _lines(fn)
    for fn in (
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
    )
}
# What is made of activations and isn't one.
_OTHERS = {_lines(jax.nn.hard_sigmoid)}


def _in_any(functions: set[_Lines], site: Site) -> bool:
    return any(
        f.file == file and f.name == name and f.first <= line <= f.last
        for file, name, line in site.frames()
        for f in functions
    )


def _in_other(site: Site | None) -> bool:
    return site is not None and (_in_any(_OTHERS, site) or _in_other(site.outer))


def register(primitive: Primitive, rule: Rule) -> None:
    """Says what an operation does in the linear network, for all later calls.

    Args:
        primitive: a JAX primitive, such as ``jax.extend.core.primitives.square_p``.
        rule: ``rule(site, *values)`` with a `Site` and, for each operand, a ``Scaled`` (part of
            the flow) or a ``Coefficient``; returns a ``Scaled``, or a list for several results.
            It's called only if an operand is part of the flow.
    """
    RULES[primitive.name] = unfolding(rule)


def register_activation(fn: Callable[..., Any]) -> None:
    """Says that ``fn(x)`` stands for the positive part of x: the identity in the linear network.

    All that ``fn`` does itself must serve the activation of one array, as in ``jax.nn.gelu``.

    Args:
        fn: a Python function, or one under ``jax.jit``.

    Raises:
        TypeError: not a Python function.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> def shifted_swish(x):
    ...     return x / (1 + jnp.exp(-2 * x))
    >>> sf.homogeneous.register_activation(shifted_swish)
    >>> weight = jnp.array([[3.0, -4.0]])
    >>> sf.flow(lambda w, x: shifted_swish(x @ w), weight, jnp.ones((1, 1))).log2
    Array(2.807355, dtype=float32)
    """
    _ACTIVATIONS.add(_lines(fn))


def linear_outputs(
    fn: Callable[[Any, Any], Any], params: Any, inputs: Any, *, biases: bool
) -> list[Scaled]:
    """The outputs of the linear network of ``fn(params, inputs)``.

    Args:
        fn: a function of two pytrees of arrays.
        params: nonnegative arrays.
        inputs: nonnegative arrays.
        biases: whether what is added to the flow takes part; in absolute value.

    Returns:
        The leaves of the outputs, each a mantissa and an exponent.

    Raises:
        NonHomogeneousError: ``fn`` isn't a linear network with activations.
    """
    closed = jax.make_jaxpr(fn)(params, inputs)
    values: list[Value] = [
        Coefficient(leaf, nonnegative=True, trained=True) for leaf in jax.tree.leaves(params)
    ]
    values += [_input(leaf) for leaf in jax.tree.leaves(inputs)]
    results = _interpret(closed, values, biases, None)
    flows = [result for result in results if isinstance(result, Scaled)]
    if len(flows) < len(results):
        raise NonHomogeneousError("an output doesn't depend on the inputs; leave it out")
    return [unfolded(flow) for flow in flows]


def _input(leaf: Any) -> Scaled:
    if isinstance(leaf, Tracer):
        return scaled(leaf)
    held, origins = held_once(np.asarray(leaf))
    return replace(scaled(jnp.asarray(held)), origins=origins if any(origins) else ())


def _interpret(
    closed: ClosedJaxpr, values: Sequence[Value], biases: bool, outer: Site | None
) -> list[Value]:
    """The results in the linear network of a jaxpr, which ``outer`` calls."""
    jaxpr = closed.jaxpr
    environment: dict[Var, Value] = {}
    for var, const in zip(jaxpr.constvars, closed.consts, strict=True):
        environment[var] = Coefficient(const)
    environment.update(zip(jaxpr.invars, values, strict=True))

    def read(atom: Var | Literal) -> Value:
        return literal(atom) if isinstance(atom, Literal) else environment[atom]

    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        results = _step(Site(equation, biases, outer), operands)
        environment.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _step(site: Site, operands: list[Value]) -> list[Value]:
    equation = site.equation
    flows = {id(value): value for value in operands if isinstance(value, Scaled)}
    if flows and _in_any(_ACTIVATIONS, site) and not _in_other(site):
        return _activation(site, *flows.values())
    name = equation.primitive.name
    if name in RULES and flows:
        results = RULES[name](site, *operands)
        return results if equation.primitive.multiple_results else [results]
    if inner := _inner_jaxpr(equation):
        return _call(site, inner, operands)
    if flows:
        raise site.refuse("it isn't positively homogeneous in the network's input")
    return constant(equation, operands)


def _activation(site: Site, flow: Scaled, *others: Scaled) -> list[Value]:
    if others:
        raise site.refuse("an activation of more than one value that depends on the input")
    for var in site.equation.outvars:
        if getattr(var.aval, "shape", None) != flow.shape:
            raise site.refuse("an activation that changes the shape")
    return [flow] * len(site.equation.outvars)


def _inner_jaxpr(equation: JaxprEqn) -> ClosedJaxpr | None:
    """The jaxpr of an equation that calls a function once or scans it."""
    if equation.primitive.name not in _CALLS:
        return None
    inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
    return ClosedJaxpr(inner, ()) if isinstance(inner, Jaxpr) else inner


_CALLS = frozenset(
    "checkpoint closed_call core_call custom_jvp_call custom_vjp_call jit pjit remat2 scan".split()
)


def _call(site: Site, inner: ClosedJaxpr, operands: list[Value]) -> list[Value]:
    params = site.equation.params

    def interpret(*values: Value) -> list[Value]:
        return _interpret(inner, values, site.biases, site)

    match site.equation.primitive.name:
        case "scan":
            return _scan(site, interpret, all_unfolded(operands))
        case "checkpoint" | "remat2":
            options = {name: params[name] for name in ("policy", "prevent_cse")}
            return jax.checkpoint(interpret, **options)(*operands)
        case _:
            return interpret(*operands)


def _scan(site: Site, interpret: Callable[..., list[Value]], operands: list[Value]) -> list[Value]:
    """A scan of the linear network's body. Its flows carry their exponents along."""
    params = site.equation.params
    consts, carry = _scan_sizes(params)
    fixed, start, xs = (
        operands[:consts],
        operands[consts : consts + carry],
        operands[consts + carry :],
    )

    def body(carried: list[Value], slices: list[jax.Array]) -> tuple[list[Value], list[Value]]:
        values = [_with_array(x, part) for x, part in zip(xs, slices, strict=True)]
        results = all_unfolded(interpret(*fixed, *carried, *values))
        after = [
            flow_of(site, result) if isinstance(before, Scaled) else result
            for before, result in zip(carried, results[:carry], strict=True)
        ]
        return [_settled(value) for value in after], results[carry:]

    arrays = [x.mantissa if isinstance(x, Scaled) else x.value for x in xs]
    first = [jax.ShapeDtypeStruct(jnp.shape(x)[1:], jnp.result_type(x)) for x in arrays]
    start = [_settled(value) for value in start]
    for _ in range(carry + 1):
        after, _ = jax.eval_shape(body, start, first)
        start = [
            _settled(flow_of(site, before)) if isinstance(then, Scaled) else before
            for before, then in zip(start, after, strict=True)
        ]
    final, stacked = lax.scan(
        body, start, arrays, params["length"], params["reverse"], params["unroll"]
    )
    return [*final, *(_common_exponent(value) for value in stacked)]


def _scan_sizes(params: dict[str, Any]) -> tuple[int, int]:
    """How many operands of a scan are constant, and how many are carried."""
    if "ft_in" in params:  # since JAX 0.11
        consts, carry, _ = params["ft_in"].unpack()
        return len(consts), len(carry)
    return params["num_consts"], params["num_carry"]


def _with_array(value: Value, array: jax.Array) -> Value:
    if isinstance(value, Scaled):
        return replace(value, mantissa=array)
    return replace(value, value=array)


def _settled(value: Value) -> Value:
    """``value`` in the form that it has after any round of a loop."""
    if isinstance(value, Scaled):
        return normalized(value)
    return Coefficient(jnp.asarray(value.value), trained=value.trained, linear=value.linear)


def _common_exponent(value: Value) -> Value:
    """Values stacked by a scan, each with its exponent, as one value."""
    if isinstance(value, Coefficient):
        return value
    return joined_exponent(value)
