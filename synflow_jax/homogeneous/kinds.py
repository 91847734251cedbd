"""What the values of a network with attention, normalization and gates are to its linear network.

A function's program is read once, before any number is looked at. Each value that depends on the
inputs is part of the flow, or one of a few things that are held constant or only weigh the flow.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from synflow_jax import wiring
from synflow_jax.homogeneous.activations import in_activation, in_bounded
from synflow_jax.homogeneous.decisions import Action, Decision, Info, Kind
from synflow_jax.homogeneous.equations import Site

SAME_NUMBERS = frozenset(
    "convert_element_type copy copy_p expand_dims name optimization_barrier reduce_precision "
    "reshape squeeze stop_gradient transpose".split()
)
MOVES = SAME_NUMBERS | frozenset("broadcast_in_dim slice split concatenate pad rev tile".split())
_OF_STATISTICS = MOVES | frozenset(
    "abs add cbrt clamp div integer_pow log1p max min mul neg pow reduce_max reduce_sum rsqrt "
    "select_n sqrt square sub".split()
)


SiteOf = Callable[[wiring.Step], Site]
"""The site of a step, for messages."""

_WEIGHTLESS = (Kind.FIXED, Kind.IDS)


@dataclass
class Reader:
    """What is known of all values of a program, and what is done at each step.

    Attributes:
        program: the function.
        site_of: the sites of its steps.
        infos: of values.
        names: of values that hold the same numbers as others, whose.
        decisions: of steps, by identity.
        order: the steps that are done, in their order.
        maker: the step that makes each value.
    """

    program: wiring.Program
    site_of: SiteOf
    infos: dict[int, Info] = field(default_factory=dict)
    names: dict[int, int] = field(default_factory=dict)
    decisions: dict[int, Decision] = field(default_factory=dict)
    order: list[wiring.Step] = field(default_factory=list)
    maker: dict[int, wiring.Step] = field(default_factory=dict)

    def note(self, values: Iterable[int], kind: Kind, *, trained: bool = False) -> None:
        """Takes note of arguments and constants."""
        for value in values:
            self.infos[value] = Info(kind, value, trained=trained)

    def canonical(self, value: int) -> int:
        """The value whose numbers it holds."""
        return self.names.get(value, value)

    def source(self, value: int) -> int:
        """What an activation was made of; else the value whose numbers it holds."""
        info = self.infos[value]
        return info.origin if info.gate else self.canonical(value)

    def kind(self, value: int) -> Kind:
        """What a value is."""
        return self.infos[value].kind

    def read(self, steps: Iterable[wiring.Step]) -> None:
        """All steps, in their order."""
        for step in steps:
            given = [self.infos[value] for value in step.operands]
            if all(info.kind is Kind.FIXED for info in given):
                self.put(step, *self.of_params(step, given))
            elif step.name != "scan" and step.body and not self.is_activation(step):
                self.read(step.body)
            else:
                self.put(step, *self.decided(step, given))

    def is_activation(self, step: wiring.Step) -> bool:
        """Whether it's a step of an activation of one flow."""
        flows = [value for value in step.operands if self.kind(value) not in _WEIGHTLESS]
        if any(self.kind(value) is not Kind.FLOW for value in flows):
            return False
        site = self.site_of(step)
        known = in_activation(site) or in_bounded(site)
        return len({self.source(v) for v in flows}) == 1 and known

    def put(self, step: wiring.Step, decision: Decision, info: Info) -> None:
        """Takes note of a decision and of the results."""
        self.decisions[id(step)] = decision
        self.order.append(step)
        for value in step.results:
            self.maker[value] = step
            if step.name in SAME_NUMBERS:
                self.names[value] = self.canonical(step.operands[decision.flow])
            self.infos[value] = info if info.origin >= 0 else info._replace(origin=value)

    def decided(self, step: wiring.Step, given: list[Info]) -> tuple[Decision, Info]:
        """What is done at a step that depends on the inputs."""
        kinds = {info.kind for info in given} - set(_WEIGHTLESS)
        if not kinds:
            return self.of_ids(step, given)
        flow = next(i for i, info in enumerate(given) if info.kind not in _WEIGHTLESS)
        if kinds == {Kind.FLOW}:
            return self.of_flows(step, given, flow)
        if kinds <= {Kind.SQUARE, Kind.STATISTIC} and step.name in _OF_STATISTICS:
            return self.of_statistics(step, given, flow)
        if kinds == {Kind.FLOW, Kind.STATISTIC} and step.name in ("mul", "div"):
            flow = [info.kind for info in given].index(Kind.FLOW)
            if step.name == "mul" or flow == 0:
                return Decision(Action.RULE, flow), given[flow]._replace(origin=-1)
        if kinds <= {Kind.EXPONENTIAL, Kind.TOTAL}:
            return self.of_exponentials(step, given, flow)
        if kinds <= {Kind.WEIGHTS, Kind.FLOW}:
            return self.of_weights(step, given)
        raise self.refuse(step)

    def refuse(self, step: wiring.Step) -> Exception:
        """The error that names a step."""
        return self.site_of(step).refuse(
            "what it does to attention, normalization or a gate isn't known"
        )

    def of_params(self, step: wiring.Step, given: list[Info]) -> tuple[Decision, Info]:
        """A step on what doesn't depend on the inputs; a standardized kernel is the kernel."""
        trained = any(info.trained for info in given)
        own = Info(Kind.FIXED, -1, trained=trained)
        if not trained:
            return Decision(Action.BIND), own
        names = [self.canonical(value) for value in step.operands]
        if step.name == "sub" and given[1].trained and given[1].origin == names[0]:
            return Decision(Action.SAME, 0), own
        if step.name == "reduce_sum":
            return Decision(Action.BIND), own._replace(origin=names[0], squared=given[0].squared)
        squared = any(info.squared for info in given) or _is_square(step, self.program)
        squared = squared or (step.name == "mul" and names[0] == names[1])
        if squared and step.name in ("rsqrt", "sqrt"):
            return Decision(Action.ONES), Info(Kind.FIXED, -1)
        passed = step.name in MOVES or step.name in ("div", "mul")
        reduced = next(
            (i.origin for v, i in zip(step.operands, given, strict=True) if i.origin != v), -1
        )
        origin = reduced if passed and reduced not in step.operands else -1
        return Decision(Action.BIND), own._replace(squared=squared, origin=origin)

    def of_ids(self, step: wiring.Step, given: list[Info]) -> tuple[Decision, Info]:
        """Integers choose rows of a table, or become its coefficients as ones among zeros."""
        starts = any(info.kind is Kind.FIXED and info.trained for info in given)
        if starts and step.name in ("gather", "dot_general"):
            return Decision(Action.START), Info(Kind.FLOW, -1, trained=True)
        return Decision(Action.BIND), Info(Kind.IDS, -1)

    def of_flows(self, step: wiring.Step, given: list[Info], flow: int) -> tuple[Decision, Info]:
        """A step on parts of the flow."""
        own, name = given[flow], step.name
        plain = own._replace(origin=-1)
        if self.is_activation(step) or name == "logistic":
            source = self.source(step.operands[flow])
            gate = 2 if name == "logistic" or in_bounded(self.site_of(step)) else 1
            found = Action.SAME, own._replace(origin=source, gate=gate)
        elif sum(info.kind is Kind.FLOW for info in given) > 1:
            return self.of_two_flows(step, given)
        elif _is_square(step, self.program):
            found = Action.NOTHING, Info(Kind.SQUARE, -1)
        elif name == "exp":
            found = Action.SAME, plain._replace(kind=Kind.EXPONENTIAL)
        elif name == "neg":
            found = Action.UNSIGNED, plain
        elif own.logits and name in ("select_n", "add", "tanh"):
            found = Action.SAME if name == "tanh" else Action.MASK, plain
        elif name in ("reduce_sum", "reduce_max"):
            found = Action.RULE, own._replace(origin=self.canonical(step.operands[flow]))
        elif name in wiring.PRODUCTS:
            found = Action.RULE, Info(Kind.FLOW, -1, trained=True)
        else:
            reduced = own.origin != step.operands[flow]
            keeps = name in MOVES or name in ("div", "mul", "max")
            found = Action.RULE, own if reduced and keeps else plain
        return Decision(found[0], flow), found[1]

    def of_two_flows(self, step: wiring.Step, given: list[Info]) -> tuple[Decision, Info]:
        """A step on several parts of the flow."""
        both = all(info.kind is Kind.FLOW for info in given) and len(given) == 2
        gate = min(info.gate for info in given if info.kind is Kind.FLOW)
        joined = Info(Kind.FLOW, -1, gate, any(info.logits for info in given), trained=True)
        if not both:
            return Decision(Action.RULE), joined
        left, right = given
        names = [self.canonical(value) for value in step.operands]
        found = Decision(Action.RULE), joined
        match step.name:
            case "sub" if right.origin == names[0] and not right.gate:
                found = Decision(Action.SAME, 0), left._replace(origin=-1)
            case "sub":
                found = Decision(Action.UNSIGNED), joined
            case "mul" if names[0] == names[1]:
                found = Decision(Action.NOTHING), Info(Kind.SQUARE, -1)
            case "mul" if left.gate and left.origin == names[1]:
                found = Decision(Action.SAME, 1), left
            case "mul" if right.gate and right.origin == names[0]:
                found = Decision(Action.SAME, 0), right
            case "mul" if left.gate != right.gate:
                flow = int(left.gate > right.gate)
                found = Decision(Action.WEIGH, flow, 1 - flow), Info(Kind.FLOW, -1, trained=True)
            case "dot_general":
                found = Decision(Action.MEET), Info(Kind.FLOW, -1, logits=True, trained=True)
        return found

    def of_statistics(
        self, step: wiring.Step, given: list[Info], flow: int
    ) -> tuple[Decision, Info]:
        """A step on squares, or on means of them."""
        squares = all(info.kind is not Kind.STATISTIC for info in given)
        if squares and step.name != "reduce_sum":
            return Decision(Action.NOTHING), Info(Kind.SQUARE, -1)
        scales = step.name in ("mul", "div") and any(info.trained for info in given)
        trained = any(info.trained for info in given)
        own = Info(Kind.STATISTIC, -1, trained=trained)
        bound = scales or (step.name in MOVES and not squares)
        return Decision(Action.BIND if bound else Action.ONES, flow), own

    def of_exponentials(
        self, step: wiring.Step, given: list[Info], flow: int
    ) -> tuple[Decision, Info]:
        """A step on exponentials, or on their sum."""
        own, name = given[flow], step.name
        if all(info.kind is not Kind.TOTAL for info in given):
            if name == "reduce_sum":
                rank = len(self.program.shape(step.operands[0]))
                axes = tuple(axis - rank for axis in wiring.ended_axes(step))
                source = self.canonical(step.operands[0])
                return Decision(Action.NOTHING), Info(Kind.TOTAL, source, axes=axes)
            if name in MOVES or name in ("mul", "select_n"):
                return Decision(Action.RULE, flow), own._replace(origin=-1)
        elif all(info.kind is not Kind.EXPONENTIAL for info in given):
            if name in MOVES or name in ("add", "max"):
                return Decision(Action.NOTHING), own
        elif name == "div" and given[1].origin == self.canonical(step.operands[0]):
            return Decision(Action.SHARE, 0, 1), Info(Kind.WEIGHTS, -1, trained=True)
        raise self.refuse(step)

    def of_weights(self, step: wiring.Step, given: list[Info]) -> tuple[Decision, Info]:
        """A step on weights, and on the flow that they weigh."""
        kinds = [info.kind for info in given]
        if Kind.FLOW not in kinds:
            if step.name in MOVES or step.name in ("mul", "div", "select_n", "reduce_sum"):
                return Decision(Action.BIND), Info(Kind.WEIGHTS, -1, trained=True)
        elif step.name in ("mul", "dot_general") and len(given) == 2:
            flow = kinds.index(Kind.FLOW)
            return Decision(Action.WEIGH, flow, 1 - flow), Info(Kind.FLOW, -1, trained=True)
        raise self.refuse(step)


def _is_square(step: wiring.Step, program: wiring.Program) -> bool:
    if step.name == "integer_pow":
        return step.equation.params["y"] == 2
    if step.name == "pow":
        number = program.constants.get(step.operands[1])
        return number is not None and bool(np.all(np.asarray(number) == 2))
    return step.name == "square"
