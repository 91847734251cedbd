"""A program run without the indices that go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import dtypes, lax

from synflow_jax.wiring.calls import bound, is_float, pulled_back, pushed_forward
from synflow_jax.wiring.moves import taken
from synflow_jax.wiring.program import Program, Step, scan_sizes
from synflow_jax.wiring.rule import KeptOf
from synflow_jax.wiring.rules import rule_of

Environment = dict[int, Any]

Again = Callable[[Program, Step], tuple[KeptOf, Any]]
"""``again(derivative, step)``: what the program of a step's derivative keeps, and its own Again."""


def run(
    program: Program,
    kept: KeptOf,
    again: Again,
    arrays: Sequence[Any],
) -> list[Any]:
    """The outputs without what goes, given the inputs without it.

    Args:
        program: the function.
        kept: which indices of each value's axes stay.
        again: the same for the programs of the steps' derivatives.
        arrays: the inputs.
    """
    runner = _Runner(program, kept, again)
    environment = dict(zip(program.inputs, arrays, strict=True))
    runner.steps(program.steps, environment)
    return [runner.read(environment, value) for value in program.outputs]


@dataclass(frozen=True)
class _Runner:
    """What all steps look at when they run.

    Attributes:
        program: the function.
        kept: which indices of each value's axes stay.
        again: the same for the programs of the steps' derivatives.
    """

    program: Program
    kept: KeptOf
    again: Again

    def read(self, environment: Environment, value: int) -> Any:
        if value in environment:
            return environment[value]
        constant = self.program.constants[value]
        return constant if self.whole(value) else self.cut(value, constant)

    def whole(self, value: int) -> bool:
        return all(axis.all() for axis in self.kept(value))

    def cut(self, value: int, array: Any) -> Any:
        return taken(array, self.kept(value))

    def steps(self, steps: Sequence[Step], environment: Environment) -> None:
        for step in steps:
            arrays = [self.read(environment, operand) for operand in step.operands]
            results = self.results(step, arrays)
            for value, array in zip(step.results, results, strict=True):
                expected = tuple(int(own.sum()) for own in self.kept(value))
                if jnp.shape(array) != expected:
                    raise AssertionError(f"{step.name}: {jnp.shape(array)} isn't {expected}")
            environment.update(zip(step.results, results, strict=True))

    def results(self, step: Step, arrays: list[Any]) -> list[Any]:
        if all(map(self.whole, (*step.operands, *step.results))) and self.whole_body(step):
            return bound(step)(*arrays)
        if step.name == "scan":
            return self.scan(step, arrays)
        if step.body:
            return self.call(step, arrays)
        rule = rule_of(self.program, step)
        if rule:
            results = rule.smaller(step, self.kept, *arrays)
            return list(results) if step.equation.primitive.multiple_results else [results]
        pairs = zip(step.results, bound(step)(*arrays), strict=True)
        return [self.cut(value, array) for value, array in pairs]

    def whole_body(self, step: Step) -> bool:
        return all(
            all(map(self.whole, (*inner.operands, *inner.results))) and self.whole_body(inner)
            for inner in step.body
        )

    def body(self, step: Step, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Any:
        """The body of a step as a function of some of its values."""

        def fn(*arrays: Any) -> list[Any]:
            own = dict(zip(inputs, arrays, strict=True))
            self.steps(step.body, own)
            return [self.read(own, value) for value in outputs]

        return fn

    def scan(self, step: Step, arrays: list[Any]) -> list[Any]:
        consts, carry = scan_sizes(step.equation)
        params, fn = (
            step.equation.params,
            self.body(step, step.inner_operands, step.inner_results),
        )

        def round_of(state: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
            results = fn(*arrays[:consts], *state, *slices)
            return results[:carry], results[carry:]

        state, stacked = lax.scan(
            round_of,
            arrays[consts : consts + carry],
            arrays[consts + carry :],
            params["length"],
            params["reverse"],
            params["unroll"],
        )
        return [*state, *stacked]

    def call(self, step: Step, arrays: list[Any]) -> list[Any]:
        fn = self.body(step, step.operands, step.results)
        match step.name:
            case "checkpoint" | "remat2":
                options = {name: step.equation.params[name] for name in ("policy", "prevent_cse")}
                return jax.checkpoint(fn, **options)(*arrays)
            case "custom_jvp_call":
                return self.with_jvp(step, fn)(*arrays)
            case _:
                return self.with_vjp(step, fn)(*arrays)

    def with_jvp(self, step: Step, fn: Any) -> Any:
        fn = jax.custom_jvp(fn)

        def jvp(primals: Any, tangents: Any) -> Any:
            derivative = pushed_forward(step, self.program)
            kept, again = self.again(derivative, step)
            floats = [t for t, p in zip(tangents, primals, strict=True) if is_float(jnp.asarray(p))]
            both = run(derivative, kept, again, [*primals, *floats])
            results, moved = both[: len(step.results)], iter(both[len(step.results) :])
            full = [
                next(moved) if is_float(r) else np.zeros(r.shape, dtypes.float0) for r in results
            ]
            return results, full

        fn.defjvp(jvp)
        return fn

    def with_vjp(self, step: Step, fn: Any) -> Any:
        floats = [is_float(self.program.avals[value]) for value in step.results]
        plain, fn = fn, jax.custom_vjp(fn)

        def forward(*primals: Any) -> Any:
            return plain(*primals), primals

        def backward(primals: Any, cotangents: Any) -> Any:
            derivative = pulled_back(step, self.program)
            kept, again = self.again(derivative, step)
            given = [c for c, real in zip(cotangents, floats, strict=True) if real]
            found = iter(run(derivative, kept, again, [*primals, *given]))
            return tuple(
                next(found) if is_float(jnp.asarray(p)) else np.zeros(jnp.shape(p), dtypes.float0)
                for p in primals
            )

        fn.defvjp(forward, backward)
        return fn
