"""A function as a list of steps on numbered values."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var


@dataclass(frozen=True, eq=False)
class Step:
    """An equation of a jaxpr.

    Attributes:
        equation: the operation and its parameters.
        operands: the numbers of the values that it takes.
        results: the numbers of those that it makes.
        body: the steps of the function that it calls, in its own values if it's a scan, in those
            of the caller otherwise.
        inner_operands: a scan's: what its body takes.
        inner_results: a scan's: what its body makes.
        outer: the step whose body this one is part of.
    """

    equation: JaxprEqn
    operands: tuple[int, ...]
    results: tuple[int, ...]
    body: "tuple[Step, ...]" = ()
    inner_operands: tuple[int, ...] = ()
    inner_results: tuple[int, ...] = ()
    outer: "Step | None" = None

    @property
    def name(self) -> str:
        """The primitive's name."""
        return self.equation.primitive.name


@dataclass
class Program:
    """A function of flat arguments.

    Attributes:
        avals: shape and dtype of each value, by its number.
        constants: the values that are closed over or written in the program, by their number.
        literals: those of ``constants`` that are written in the program.
        steps: in the order in which they run; those that nothing needs are left out.
        inputs: the numbers of the arguments.
        outputs: the numbers of the results.
        out_tree: how the results are packed.
        averages: those of the steps that are averages of what is left; see `averages`.
    """

    avals: list[Any] = field(default_factory=list)
    constants: dict[int, Any] = field(default_factory=dict)
    literals: set[int] = field(default_factory=set)
    steps: tuple[Step, ...] = ()
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    out_tree: Any = None
    averages: frozenset[Step] = frozenset()

    def shape(self, value: int) -> tuple[int, ...]:
        """The shape of a value."""
        return tuple(self.avals[value].shape)


def traced(fn: Callable[..., Any], *args: Any) -> Program:
    """The program of ``fn(*args)``; its inputs are the leaves of the arguments."""
    closed, shapes = jax.make_jaxpr(fn, return_shape=True)(*args)
    program = Program(out_tree=jax.tree.structure(shapes))
    program.inputs = tuple(_new(program, var.aval) for var in closed.jaxpr.invars)
    steps, program.outputs = _unrolled(program, closed, program.inputs, None)
    program.steps = _needed(steps, set(program.outputs))
    return program


def _new(program: Program, aval: Any) -> int:
    program.avals.append(aval)
    return len(program.avals) - 1


def _unrolled(
    program: Program, closed: ClosedJaxpr, operands: Iterable[int], outer: Step | None
) -> tuple[list[Step], tuple[int, ...]]:
    """The steps of a jaxpr on these values, and its results."""
    jaxpr = closed.jaxpr
    numbers: dict[Var, int] = dict(zip(jaxpr.invars, operands, strict=True))
    for var, const in zip(jaxpr.constvars, closed.consts, strict=True):
        numbers[var] = _new(program, var.aval)
        program.constants[numbers[var]] = const

    def number(atom: Var | Literal) -> int:
        if not isinstance(atom, Literal):
            return numbers[atom]
        index = _new(program, atom.aval)
        program.constants[index] = atom.val
        program.literals.add(index)
        return index

    steps = []
    for equation in jaxpr.eqns:
        values = tuple(number(atom) for atom in equation.invars)
        more, results = _steps(program, equation, values, outer)
        steps += more
        numbers.update(zip(equation.outvars, results, strict=True))
    return steps, tuple(number(atom) for atom in jaxpr.outvars)


def _steps(
    program: Program, equation: JaxprEqn, operands: tuple[int, ...], outer: Step | None
) -> tuple[list[Step], tuple[int, ...]]:
    """The steps of an equation, and its results."""
    inner, name = inner_jaxpr(equation), equation.primitive.name
    if inner is None:
        results = tuple(_new(program, var.aval) for var in equation.outvars)
        return [Step(equation, operands, results, outer=outer)], results
    own = Step(equation, operands, (), outer=outer)
    if name in _INLINED:
        return _unrolled(program, inner, operands, own)
    if name != "scan":
        body, results = _unrolled(program, inner, operands, own)
        return [Step(equation, operands, results, tuple(body), outer=outer)], results
    inner_operands = tuple(_new(program, var.aval) for var in inner.jaxpr.invars)
    body, inner_results = _unrolled(program, inner, inner_operands, own)
    results = tuple(_new(program, var.aval) for var in equation.outvars)
    step = Step(equation, operands, results, tuple(body), inner_operands, inner_results, outer)
    return [step], results


_INLINED = frozenset("closed_call core_call jit pjit".split())
_CALLS = _INLINED | frozenset("checkpoint custom_jvp_call custom_vjp_call remat2 scan".split())


def inner_jaxpr(equation: JaxprEqn) -> ClosedJaxpr | None:
    """The jaxpr of an equation that calls a function once or scans it."""
    if equation.primitive.name not in _CALLS:
        return None
    inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
    return ClosedJaxpr(inner, ()) if isinstance(inner, Jaxpr) else inner


def scan_sizes(equation: JaxprEqn) -> tuple[int, int]:
    """How many operands of a scan are constant, and how many are carried."""
    params = equation.params
    if "ft_in" in params:  # since JAX 0.11
        consts, carry, _ = params["ft_in"].unpack()
        return len(consts), len(carry)
    return params["num_consts"], params["num_carry"]


def _needed(steps: Iterable[Step], used: set[int]) -> tuple[Step, ...]:
    """The steps that make what is used or have effects; adds what they use."""
    kept = []
    for step in reversed(list(steps)):
        if used.isdisjoint(step.results) and not step.equation.effects:
            continue
        used.update(step.operands)
        kept.append(step)
    return tuple(reversed(kept))


def all_steps(steps: Iterable[Step]) -> Iterable[Step]:
    """The steps and those of their bodies; a body before the step it belongs to."""
    for step in steps:
        yield from all_steps(step.body)
        yield step
