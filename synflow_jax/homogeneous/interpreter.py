"""A function's jaxpr as the linear network: each equation by its rule."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var

from synflow_jax.homogeneous.activations import activated, in_activation
from synflow_jax.homogeneous.equations import Mode, NonHomogeneousError, Site, constant
from synflow_jax.homogeneous.loops import scanned
from synflow_jax.homogeneous.operands import all_unfolded
from synflow_jax.homogeneous.paths import adding_up, as_flags, flags_of
from synflow_jax.homogeneous.patterns import Patterns, relu_patterns
from synflow_jax.homogeneous.repeats import held_once
from synflow_jax.homogeneous.rules import RULES
from synflow_jax.homogeneous.scaled import Scaled, scaled, unfolded
from synflow_jax.homogeneous.values import Coefficient, Value, fixed, literal, param


def linear_outputs(
    fn: Callable[[Any, Any], Any],
    params: Any,
    inputs: Any,
    *,
    biases: bool,
    paths: bool = False,
    real: tuple[Any, Any] | None = None,
) -> list[Scaled]:
    """The outputs of the linear network of ``fn(params, inputs)``.

    Args:
        fn: a function of two pytrees of arrays.
        params: nonnegative arrays.
        inputs: nonnegative arrays.
        biases: whether what is added to the flow takes part; in absolute value.
        paths: whether all values, and all gradients on their way back, become 0 or 1.
        real: other params and inputs; ReLUs let through what they let through of these. If None,
            all of it.

    Returns:
        The leaves of the outputs, each a mantissa and an exponent.

    Raises:
        NonHomogeneousError: ``fn`` isn't a linear network with activations.
    """
    closed = jax.make_jaxpr(fn)(params, inputs)
    values: list[Value] = [param(leaf) for leaf in jax.tree.leaves(params)]
    values += [_input(leaf) for leaf in jax.tree.leaves(inputs)]
    patterns = None
    if real is not None:
        leaves = [jax.tree.leaves(tree) for tree in real]
        patterns = relu_patterns(closed, leaves[0], leaves[1], _called_once)
        if not patterns:
            raise NonHomogeneousError(
                "the network has no ReLU, whose activation pattern this score is made of; take "
                "sf.synflow(apply_fn, inputs, power=2)"
            )
    results = _interpret(closed, values, Mode(biases, paths, patterns), None)
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
    closed: ClosedJaxpr, values: Sequence[Value], mode: Mode, outer: Site | None
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
        results = _step(Site(equation, mode, outer), operands)
        environment.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _step(site: Site, operands: list[Value]) -> list[Value]:
    equation = site.equation
    flows = {id(value): value for value in operands if isinstance(value, Scaled)}
    name = equation.primitive.name
    patterns = site.mode.patterns
    if flows and (in_activation(site) or (patterns is not None and name == "max")):
        if patterns is None:
            return activated(site, *flows.values())
        return _let_through(site, patterns, operands)
    if name in RULES and flows:
        return _ruled(site, operands)
    if inner := _inner_jaxpr(equation):
        return _call(site, inner, operands)
    if name == "cond" and (flows or _is_known(operands[0])):
        return _branch(site, *operands)
    if flows:
        raise site.refuse("it isn't positively homogeneous in the network's input")
    return [*constant(equation, [each for each in operands if isinstance(each, Coefficient)])]


def _ruled(site: Site, operands: list[Value]) -> list[Value]:
    """The results by the operation's rule."""
    if site.mode.paths:
        site, operands = adding_up(site, operands), as_flags(site, operands)
    primitive = site.equation.primitive
    results = RULES[primitive.name](site, *operands)
    results = results if primitive.multiple_results else [results]
    return [flags_of(site, result) for result in results] if site.mode.paths else results


def _let_through(site: Site, patterns: Patterns, operands: list[Value]) -> list[Value]:
    """The flow where the ReLU is open on the real inputs."""
    if inner := _inner_jaxpr(site.equation):
        return _call(site, inner, operands)
    found = patterns.get(id(site.equation))
    flows = [operand for operand in operands if isinstance(operand, Scaled)]
    if not found or len(flows) != 1:
        raise site.refuse("of activations the patterns of ReLUs outside of loops are known alone")
    flow = unfolded(flows[0])
    return [replace(flow, mantissa=jnp.where(found.popleft(), flow.mantissa, 0))]


def _is_known(value: Value) -> bool:
    return isinstance(value, Coefficient) and value.known is not None


def _inner_jaxpr(equation: JaxprEqn) -> ClosedJaxpr | None:
    """The jaxpr of an equation that calls a function once or scans it."""
    if equation.primitive.name not in _CALLS:
        return None
    inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
    return ClosedJaxpr(inner, ()) if isinstance(inner, Jaxpr) else inner


def _called_once(equation: JaxprEqn) -> ClosedJaxpr | None:
    """The jaxpr of an equation that calls a function and doesn't loop."""
    return None if equation.primitive.name == "scan" else _inner_jaxpr(equation)


_CALLS = frozenset(
    "checkpoint closed_call core_call custom_jvp_call custom_vjp_call jit pjit remat2 scan".split()
)


def _branch(site: Site, index: Value, *operands: Value) -> list[Value]:
    """The branch that is taken whatever the input."""
    branches = site.equation.params["branches"]
    if not isinstance(index, Coefficient) or index.known is None:
        raise site.refuse("it chooses a branch by a value that isn't known when tracing")
    taken = int(np.clip(int(index.known()), 0, len(branches) - 1))
    return _interpret(branches[taken], operands, site.mode, site)


def _call(site: Site, inner: ClosedJaxpr, operands: list[Value]) -> list[Value]:
    params = site.equation.params

    def interpret(*values: Value) -> list[Value]:
        return _interpret(inner, values, site.mode, site)

    match site.equation.primitive.name:
        case "scan":
            (results,) = scanned(site, lambda own: [interpret(*own)], [all_unfolded(operands)])
            return results
        case "checkpoint" | "remat2":
            options = {name: params[name] for name in ("policy", "prevent_cse")}
            return jax.checkpoint(interpret, **options)(*operands)
        case _:
            return interpret(*operands)
