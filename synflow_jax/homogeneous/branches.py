"""The linear network of a function with attention, normalization and gates.

Where two parts of the flow are multiplied, one carries the flow and the other weighs it. What
weighs is computed once more with what it shares with the rest of the network held constant, so
that the flow is of degree one in the weights of each layer: those of queries and keys, or of a
gate, are scored by what they do there, and those before by what they carry.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax import wiring
from synflow_jax.homogeneous.equations import Mode, NonHomogeneousError, Site, constant
from synflow_jax.homogeneous.kinds import Action, Decision, Kind, Reader
from synflow_jax.homogeneous.loops import scanned
from synflow_jax.homogeneous.operands import absolute, all_unfolded
from synflow_jax.homogeneous.rules import RULES
from synflow_jax.homogeneous.scaled import Scaled, aligned, grown, normalized, scaled, unfolded
from synflow_jax.homogeneous.signs import Sign
from synflow_jax.homogeneous.values import Coefficient, Value, fixed, literal_of, param

# A number this low or lower that is added to logits can only be meant to hide positions.
_HIDES = -1e4


def branching_outputs(
    fn: Callable[[Any, Any], Any], params: Any, inputs: Any, *, biases: bool
) -> list[Scaled]:
    """The outputs of the linear network of ``fn(params, inputs)``.

    Args:
        fn: a function of two pytrees of arrays.
        params: nonnegative arrays.
        inputs: nonnegative floating-point arrays, which start the flow, and integers, which choose
            the rows of embeddings that do.
        biases: whether what is added to the flow takes part; in absolute value.

    Returns:
        The leaves of the outputs, each a mantissa and an exponent.

    Raises:
        NonHomogeneousError: ``fn`` does something that isn't known to such a network.
    """
    program = wiring.traced(fn, params, inputs)
    leaves = [jax.tree.leaves(tree) for tree in (params, inputs)]
    given, rest = program.inputs[: len(leaves[0])], program.inputs[len(leaves[0]) :]
    values: dict[int, Value] = dict(zip(given, map(param, leaves[0]), strict=True))
    floats = []
    for value, leaf in zip(rest, leaves[1], strict=True):
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            values[value] = scaled(jnp.asarray(leaf))
            floats.append(value)
        else:
            values[value] = fixed(leaf)
    mode = Mode(biases, branches=True)
    reader = _reader(program, mode)
    reader.note(given, Kind.FIXED, trained=True)
    reader.note(floats, Kind.FLOW)
    reader.note([value for value in rest if value not in floats], Kind.IDS)
    results = _run(reader, mode, program.steps, program.outputs, values)
    flows = [unfolded(result) for result in results if isinstance(result, Scaled)]
    if len(flows) < len(results):
        raise NonHomogeneousError("an output doesn't depend on the inputs; leave it out")
    return flows


def _reader(program: wiring.Program, mode: Mode) -> Reader:
    reader = Reader(program, lambda step: _site(step, mode))
    reader.note(program.constants, Kind.FIXED)
    return reader


def _site(step: wiring.Step, mode: Mode) -> Site:
    return Site(step.equation, mode, step.outer)  # type: ignore


def _run(
    reader: Reader,
    mode: Mode,
    steps: Sequence[wiring.Step],
    outputs: Sequence[int],
    values: dict[int, Value],
) -> list[Value]:
    """The outputs of steps."""
    reader.read(steps)
    for output in outputs:
        if reader.kind(output) not in (Kind.FLOW, Kind.FIXED, Kind.IDS):
            made_by = reader.maker[output]
            raise _site(made_by, mode).refuse("an output isn't part of the flow; leave it out")
    carried = _carried(reader, outputs)
    for step in reader.order:
        why = _ONLY_WEIGHS.get(reader.decisions[id(step)].action)
        if why and not carried.isdisjoint(step.results):
            raise _site(step, mode).refuse(why)
    runner = _Runner(reader, mode, carried, values)
    for step in reader.order:
        runner.do(step)
    return [runner.value(output) for output in outputs]


# What may only be part of what weighs the flow.
_ONLY_WEIGHS = {
    Action.UNSIGNED: "it subtracts a value that depends on the input",
    Action.MEET: "a product of two values that both depend on the input has degree 2, and no "
    "softmax makes weights of it",
}


def _carried(reader: Reader, outputs: Sequence[int]) -> set[int]:
    """The values through which the flow is carried to the outputs."""
    found: set[int] = set()
    left = list(outputs)
    while left:
        value = left.pop()
        step = reader.maker.get(value)
        if value in found:
            continue
        found.add(value)
        if step is None:
            continue
        decision = reader.decisions[id(step)]
        if decision.action in (Action.SAME, Action.WEIGH):
            left.append(step.operands[decision.flow])
        elif decision.action is not Action.NOTHING:
            left += [each for each in step.operands if reader.kind(each) is Kind.FLOW]
    return found


@dataclass
class _Runner:
    """The values so far.

    Attributes:
        reader: what is known of them.
        mode: which linear network it is.
        carried: those that carry the flow to the outputs.
        values: by number.
        again: those computed once more, by number and whether a kernel is behind.
    """

    reader: Reader
    mode: Mode
    carried: set[int]
    values: dict[int, Value]
    again: dict[tuple[int, bool], Value] = field(default_factory=dict)

    def value(self, number: int) -> Value:
        """A value."""
        if number in self.reader.program.constants and number not in self.values:
            self.values[number] = _constant(self.reader.program, number)
        return self.values[number]

    def do(self, step: wiring.Step) -> None:
        """Adds the results of a step."""
        decision = self.reader.decisions[id(step)]
        if decision.action is Action.NOTHING:
            return
        operands = [
            self.value(operand) if self.counts(decision, i) else None
            for i, operand in enumerate(step.operands)
        ]
        self.values.update(zip(step.results, self.results(step, decision, operands), strict=True))

    def counts(self, decision: Decision, position: int) -> bool:
        """Whether an operand is looked at."""
        if decision.action in (Action.SAME, Action.SHARE):
            return position == decision.flow
        return decision.action is not Action.ONES and not (
            decision.action is Action.WEIGH and position == decision.weight
        )

    def held(self, number: int, past: bool) -> Value:
        """A value once more, with what the rest of the network shares held constant.

        ``past`` if a kernel that is scored here lies between it and what it weighs.
        """
        reader = self.reader
        if reader.kind(number) in (Kind.FIXED, Kind.IDS):
            return self.value(number)
        key = (number, past)
        if key not in self.again:
            step = reader.maker.get(number)
            if step is None or step.name == "scan" or (past and number in self.carried):
                value = self.value(number)
                self.again[key] = _constant_flow(value) if number in self.carried else value
                return self.again[key]
            decision = reader.decisions[id(step)]
            kernel = step.name in wiring.PRODUCTS and any(
                reader.infos[each].kind is Kind.FIXED and reader.infos[each].trained
                for each in step.operands
            )
            operands = [
                self.held(operand, past or kernel) if self.counts(decision, i) else None
                for i, operand in enumerate(step.operands)
            ]
            for value, result in zip(
                step.results, self.results(step, decision, operands), strict=True
            ):
                self.again[value, past] = result
        return self.again[key]

    def results(
        self, step: wiring.Step, decision: Decision, operands: list[Value | None]
    ) -> list[Value]:
        """What the linear network does at a step."""
        site = _site(step, self.mode)
        given: Any = operands
        flow: Any = operands[decision.flow] if operands else None
        found: list[Value]
        match decision.action:
            case Action.SAME:
                found = [flow] * len(step.results)
            case Action.UNSIGNED:
                found = [_added([unfolded(each) for each in given if isinstance(each, Scaled)])]
            case Action.ONES:
                aval = self.reader.program.avals[step.results[0]]
                found = [fixed(np.ones(aval.shape, aval.dtype))]
            case Action.BIND:
                found = [*constant(step.equation, given)]
            case Action.START:
                (rows,) = constant(step.equation, given)
                found = [scaled(jnp.asarray(absolute(site, rows)))]
            case Action.MASK:
                found = [_shown(site, decision.flow, given)]
            case Action.SHARE:
                found = [_share(flow, self.reader.infos[step.operands[1]].axes)]
            case Action.MEET:
                found = [_met(site, *given)]
            case Action.WEIGH:
                assert decision.weight is not None
                given[decision.weight] = _gate(self.held(step.operands[decision.weight], False))
                found = self.ruled(step, site, given)
            case _:
                found = self.ruled(step, site, given)
        return found

    def ruled(self, step: wiring.Step, site: Site, operands: list[Value]) -> list[Value]:
        """The results by the operation's rule."""
        if step.name == "scan":
            return self.scan(step, site, operands)
        if step.name not in RULES:
            raise site.refuse("it isn't positively homogeneous in the network's input")
        results = RULES[step.name](site, *operands)
        return results if step.equation.primitive.multiple_results else [results]

    def scan(self, step: wiring.Step, site: Site, operands: list[Value]) -> list[Value]:
        """A loop, whose body is a network of its own."""

        def body(*values: Value) -> list[Value]:
            reader = _reader(self.reader.program, self.mode)
            for number, value in zip(step.inner_operands, values, strict=True):
                if isinstance(value, Scaled):
                    reader.note([number], Kind.FLOW)
                else:
                    reader.note([number], Kind.FIXED, trained=value.trained)
            own = dict(zip(step.inner_operands, values, strict=True))
            return _run(reader, self.mode, step.body, step.inner_results, own)

        return scanned(site, body, all_unfolded(operands))


def _constant(program: wiring.Program, number: int) -> Coefficient:
    value = program.constants[number]
    return literal_of(value, program.avals[number]) if number in program.literals else fixed(value)


def _constant_flow(value: Value) -> Value:
    if isinstance(value, Scaled):
        return replace(value, mantissa=lax.stop_gradient(value.mantissa))
    return replace(value, value=lax.stop_gradient(value.value))


def _gate(value: Value) -> Coefficient:
    """Weights as they are; a gate divided by its mean."""
    if isinstance(value, Coefficient):
        return value
    x = unfolded(value).mantissa
    mean = lax.stop_gradient(jnp.mean(x))
    return Coefficient(x / jnp.where(mean > 0, mean, 1), trained=True, sign=Sign.NONNEGATIVE)


def _share(flow: Scaled, axes: tuple[int, ...]) -> Coefficient:
    """The flow divided by its sums."""
    x = unfolded(flow).mantissa
    total = lax.stop_gradient(jnp.sum(x, axes, keepdims=True))
    share = x / jnp.where(total > 0, total, 1)
    return Coefficient(share, trained=True, sign=Sign.NONNEGATIVE)


def _added(flows: list[Scaled]) -> Scaled:
    """The sum of flows of one shape."""
    parts = aligned(*flows)
    mantissa = functools.reduce(jnp.add, [part.mantissa for part in parts])
    return grown(replace(parts[0], mantissa=mantissa), 1)


def _met(site: Site, left: Scaled, right: Scaled) -> Scaled:
    left, right = normalized(unfolded(left)), normalized(unfolded(right))
    mantissa = site.bind(left.mantissa, right.mantissa)
    return normalized(Scaled(mantissa, left.exponent + right.exponent))


def _shown(site: Site, flow: int, operands: list[Value]) -> Scaled:
    """Logits, 0 where they are hidden. What else is added to them is left out."""
    own = operands[flow]
    assert isinstance(own, Scaled)
    own = unfolded(own)
    zeros = jnp.zeros_like(own.mantissa)
    if site.equation.primitive.name == "add":
        (bias,) = (each for each in operands if isinstance(each, Coefficient))
        return replace(
            own, mantissa=jnp.where(jnp.asarray(bias.value) > _HIDES, own.mantissa, zeros)
        )
    which, *cases = operands
    arrays = [own.mantissa if case is operands[flow] else zeros for case in cases]
    for case in cases:
        low = isinstance(case, Coefficient) and case.holds(lambda x: x <= _HIDES)
        if case is not operands[flow] and not low:
            raise site.refuse("it fills in a number that doesn't hide positions of attention")
    assert isinstance(which, Coefficient)
    return replace(own, mantissa=site.bind(which.value, *arrays))
