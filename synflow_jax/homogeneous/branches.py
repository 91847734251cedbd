"""The linear network of a function with attention, normalization and gates.

Where two parts of the flow are multiplied, one carries the flow and the other weighs it. What
weighs is computed once more with what it shares with the rest of the network held constant, so
that the flow is of degree one in the weights of each layer: those of queries and keys, or of a
gate, are scored by what they do there, and those before by what they carry.

What is held constant has its biases in either case: without them a class's token, which is one,
would have no query, and nothing of the image would reach it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax import wiring
from synflow_jax.homogeneous.decisions import Action, Decision, Kind
from synflow_jax.homogeneous.equations import Mode, NonHomogeneousError, Site, constant
from synflow_jax.homogeneous.kinds import Reader
from synflow_jax.homogeneous.loops import scanned
from synflow_jax.homogeneous.operands import absolute, all_unfolded
from synflow_jax.homogeneous.rules import RULES
from synflow_jax.homogeneous.scaled import Scaled, scaled, unfolded
from synflow_jax.homogeneous.values import Coefficient, Value, fixed, literal_of, param
from synflow_jax.homogeneous.weighing import (
    added,
    check_masks,
    check_rows,
    constant_flow,
    gate,
    met,
    share,
    shown,
)


def branching_outputs(
    fn: Callable[[Any, Any], Any], params: Any, inputs: Any, *, biases: bool
) -> list[Scaled]:
    """The outputs of the linear network of ``fn(params, inputs)``.

    Args:
        fn: a function of two pytrees of arrays.
        params: nonnegative arrays.
        inputs: nonnegative floating-point arrays, which start the flow, and integers, which choose
            the rows of embeddings that do.
        biases: whether what is added to the flow carries flow itself; in absolute value.

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
    around = None if biases else dict(values)
    results = _run(reader, mode, program.steps, program.outputs, values, around=around)[0]
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
    *,
    around: dict[int, Value] | None,
) -> list[list[Value]]:
    """The outputs of steps; if ``around`` is given, also those of the network with biases."""
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
    if around is not None:
        runner.around = _Runner(reader, mode._replace(biases=True), carried, around)
    for step in reader.order:
        runner.do(step)
    return [[each.value(output) for output in outputs] for each in runner.both()]


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
        around: the network with biases, if this one is without, for what is held constant.
    """

    reader: Reader
    mode: Mode
    carried: set[int]
    values: dict[int, Value]
    again: dict[tuple[int, bool], Value] = field(default_factory=dict)
    around: "_Runner | None" = None

    def both(self) -> list["_Runner"]:
        """This network, and the one with biases if it's another."""
        return [self] if self.around is None else [self, self.around]

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
        if step.name == "scan" and decision.action is Action.RULE:
            given = [[each.value(operand) for operand in step.operands] for each in self.both()]
            for each, results in zip(self.both(), self.scan(step, given), strict=True):
                each.values.update(zip(step.results, results, strict=True))
            return
        if self.around is not None:
            self.around.do(step)
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
                held = number in self.carried
                self.again[key] = (
                    constant_flow(self.both()[-1].value(number)) if held else self.value(number)
                )
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
                found = [added([unfolded(each) for each in given if isinstance(each, Scaled)])]
            case Action.ONES:
                aval = self.reader.program.avals[step.results[0]]
                found = [fixed(np.ones(aval.shape, aval.dtype))]
            case Action.BIND:
                found = [*constant(step.equation, given)]
            case Action.START:
                check_rows(site, given)
                (rows,) = constant(step.equation, given)
                found = [scaled(jnp.asarray(absolute(site, rows)))]
            case Action.MASK:
                found = [shown(site, decision.flow, given)]
            case Action.SHARE:
                axes = self.reader.infos[step.operands[1]].axes
                check_masks(self.reader, self.values, step.operands[0], axes)
                found = [share(flow, axes)]
            case Action.MEET:
                found = [met(site, *given)]
            case Action.WEIGH:
                assert decision.weight is not None
                given[decision.weight] = gate(self.held(step.operands[decision.weight], False))
                found = self.ruled(step, site, given)
            case _:
                found = self.ruled(step, site, given)
        return found

    def ruled(self, step: wiring.Step, site: Site, operands: list[Value]) -> list[Value]:
        """The results by the operation's rule."""
        if step.name not in RULES:
            raise site.refuse("it isn't positively homogeneous in the network's input")
        results = RULES[step.name](site, *operands)
        return results if step.equation.primitive.multiple_results else [results]

    def scan(self, step: wiring.Step, operands: list[list[Value]]) -> list[list[Value]]:
        """A loop, whose body is a network of its own, for this network and the one around it."""

        def body(*values: list[Value]) -> list[list[Value]]:
            reader = _reader(self.reader.program, self.mode)
            for number, value in zip(step.inner_operands, values[0], strict=True):
                if isinstance(value, Scaled):
                    reader.note([number], Kind.FLOW)
                else:
                    reader.note([number], Kind.FIXED, trained=value.trained)
            own = [dict(zip(step.inner_operands, each, strict=True)) for each in values]
            around = own[1] if len(own) > 1 else None
            return _run(reader, self.mode, step.body, step.inner_results, own[0], around=around)

        return scanned(_site(step, self.mode), body, [all_unfolded(each) for each in operands])


def _constant(program: wiring.Program, number: int) -> Coefficient:
    value = program.constants[number]
    return literal_of(value, program.avals[number]) if number in program.literals else fixed(value)
