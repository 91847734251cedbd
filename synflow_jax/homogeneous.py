"""The linear network behind a network: its flow, finite at any depth.

With nonnegative weights and inputs every positively homogeneous activation is the identity, and
the network is linear in each of its layers. Here a function's jaxpr is interpreted as that linear
network, each intermediate value held as mantissa * 2 ** exponent. What has no place in a linear
network is refused with its line in the user's source.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import CodeType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Primitive, Var

from synflow_jax.equations import NonHomogeneousError, Site, constant
from synflow_jax.linear_rules import RULES, Rule, all_unfolded, flow_of, unfolding
from synflow_jax.repeats import held_once
from synflow_jax.scaled import Scaled, joined_exponent, normalized, scaled, unfolded
from synflow_jax.signs import joined
from synflow_jax.values import Coefficient, Value, fixed, literal, param, with_array


def _code(fn: Callable[..., Any]) -> CodeType:
    code = getattr(inspect.unwrap(getattr(fn, "fun", fn)), "__code__", None)
    if code is None:
        raise TypeError(f"an activation must be a Python function, got {fn!r}; name the function")
    return code


# The code of functions whose every step stands for the positive part: some are inlined where they
# are called and leave no name. By identity, since code on one line can be equal.
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
# What is made of activations and isn't one.
_OTHERS = {id(code): code for code in [_code(jax.nn.hard_sigmoid)]}
# What was registered, in order.
_REGISTERED: list[Any] = []


def registrations() -> int:
    """How many times something was registered. What is compiled depends on it."""
    return len(_REGISTERED)


def _in_any(functions: dict[int, CodeType], site: Site) -> bool:
    return any(id(frame.code) in functions for frame in site.frames())


def _in_other(site: Site | None) -> bool:
    return site is not None and (_in_any(_OTHERS, site) or _in_other(site.outer))


def register(primitive: Primitive, rule: Rule) -> None:
    """Says what an operation does in the linear network, for all later calls.

    `sf.prune`, `sf.sweep` and `sf.tickets` compile anew after it; what you put under ``jax.jit``
    yourself and called before stays as it was.

    Args:
        primitive: a JAX primitive, such as ``jax.extend.core.primitives.square_p``.
        rule: ``rule(site, *values)`` with a `Site` and, for each operand, a ``Scaled`` (part of
            the flow) or a ``Coefficient``; returns a ``Scaled``, or a list for several results.
            It's called only if an operand is part of the flow.
    """
    if not isinstance(primitive, Primitive):
        raise TypeError(
            "primitive must be a JAX primitive such as jax.extend.core.primitives.square_p, got "
            f"{primitive!r}; for a function call sf.homogeneous.register_activation"
        )
    if not callable(rule):
        raise TypeError(f"rule must be a function rule(site, *values), got {rule!r}")
    RULES[primitive.name] = unfolding(rule)
    _REGISTERED.append(primitive)


def register_activation(fn: Callable[..., Any]) -> None:
    """Says that ``fn(x)`` stands for the positive part of x: the identity in the linear network.

    All that ``fn`` does itself must serve the activation of one array, as in ``jax.nn.gelu``.
    It's known by its code, so every function that the same ``def`` or ``lambda`` made is named.
    For what was compiled before see `register`.

    Args:
        fn: a Python function, or one under ``jax.jit``.

    Raises:
        TypeError: not a Python function, or an operation of JAX's own, such as ``jnp.tanh``, that
            other functions are made of.

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
    _REGISTERED.append(code)


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
    values: list[Value] = [param(leaf) for leaf in jax.tree.leaves(params)]
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
        environment[var] = fixed(const)
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
    if name == "cond" and (flows or _is_known(operands[0])):
        return _branch(site, *operands)
    if flows:
        raise site.refuse("it isn't positively homogeneous in the network's input")
    return [*constant(equation, [each for each in operands if isinstance(each, Coefficient)])]


def _is_known(value: Value) -> bool:
    return isinstance(value, Coefficient) and value.known is not None


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


def _branch(site: Site, index: Value, *operands: Value) -> list[Value]:
    """The branch that is taken whatever the input."""
    branches = site.equation.params["branches"]
    if not isinstance(index, Coefficient) or index.known is None:
        raise site.refuse("it chooses a branch by a value that isn't known when tracing")
    taken = int(np.clip(int(index.known()), 0, len(branches) - 1))
    return _interpret(branches[taken], operands, site.biases, site)


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
        values = [with_array(x, part) for x, part in zip(xs, slices, strict=True)]
        results = all_unfolded(interpret(*fixed, *carried, *values))
        after = [_like(site, *pair) for pair in zip(carried, results[:carry], strict=True)]
        return after, results[carry:]

    arrays = [x.mantissa if isinstance(x, Scaled) else x.value for x in xs]
    first = [jax.ShapeDtypeStruct(jnp.shape(x)[1:], jnp.result_type(x)) for x in arrays]
    before, start = None, [_settled(value) for value in start]
    while before is None or _kinds(before) != _kinds(start):
        before, (after, _) = start, jax.eval_shape(body, start, first)
        start = [_like(site, *pair) for pair in zip(after, start, strict=True)]
    final, stacked = lax.scan(
        body, start, arrays, params["length"], params["reverse"], params["unroll"]
    )
    return [*final, *(_common_exponent(value) for value in stacked)]


def _like(site: Site, pattern: Value, value: Value) -> Value:
    """``value``, settled, with no more known of it than of a pattern: a loop goes through both."""
    if isinstance(pattern, Scaled) or isinstance(value, Scaled):
        return _settled(flow_of(site, value))
    sign, trained = joined([pattern.sign, value.sign]), pattern.trained or value.trained
    return replace(_settled(value), trained=trained, sign=sign)


def _kinds(values: Sequence[Value]) -> list[Any]:
    """All that is known of values when tracing."""
    return jax.tree.structure(list(values))


def _scan_sizes(params: dict[str, Any]) -> tuple[int, int]:
    """How many operands of a scan are constant, and how many are carried."""
    if "ft_in" in params:  # since JAX 0.11
        consts, carry, _ = params["ft_in"].unpack()
        return len(consts), len(carry)
    return params["num_consts"], params["num_carry"]


def _settled(value: Value) -> Value:
    """``value`` in the form that it has after any round of a loop."""
    if isinstance(value, Scaled):
        return normalized(value)
    return replace(value, value=jnp.asarray(value.value), known=None)


def _common_exponent(value: Value) -> Value:
    """Values stacked by a scan, each with its exponent, as one value."""
    if isinstance(value, Coefficient):
        return value
    return joined_exponent(value)
