"""Functions of a network's params as functions of what is left of them."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from synflow_jax import wiring
from synflow_jax.checks import source_line
from synflow_jax.compaction.whole import Left, Whole


def smaller(whole: Whole, fn: Callable[..., Any]) -> Callable[..., Any]:
    """``fn(params, *args)`` as a function of what is left of the params."""
    compiled: dict[Any, tuple[ClosedJaxpr, Any]] = {}

    @functools.wraps(fn)
    def call(params: Any, *args: Any, **options: Any) -> Any:
        leaves = _checked(whole, params)
        rest, treedef = jax.tree.flatten((args, options))
        key = (
            treedef,
            tuple(_kind(leaf) for leaf in (*leaves, *rest)),
            jax.config.read("jax_enable_x64"),
        )
        closed, out_tree = compiled.get(key) or _traced(whole, fn, leaves, rest, treedef)
        if not any(isinstance(const, Tracer) for const in closed.consts):
            compiled[key] = closed, out_tree
        return jax.tree.unflatten(out_tree, jaxpr_as_fun(closed)(*leaves, *rest))

    return call


def _kind(leaf: Any) -> Any:
    aval = jax.typeof(leaf)
    return aval, getattr(aval, "weak_type", False)


def _checked(whole: Whole, params: Any) -> list[Any]:
    """The leaves of small params."""
    leaves, treedef = jax.tree.flatten(params)
    if treedef != whole.treedef:
        raise ValueError(
            f"params must have the structure of small.params, {whole.treedef}; got {treedef}"
        )
    for name, leaf, left in zip(whole.names, leaves, whole.lefts, strict=True):
        expected = tuple(int(own.sum()) for own in left)
        if jnp.shape(leaf) != expected:
            raise ValueError(
                f"params leaf '{name}' must have the shape that is left, {expected}; got "
                f"{jnp.shape(leaf)}. Pass small.params, or small.shrink of whole ones"
            )
    return leaves


def _traced(
    whole: Whole, fn: Callable[..., Any], leaves: list[Any], rest: list[Any], treedef: Any
) -> tuple[ClosedJaxpr, Any]:
    def flat(params: list[Any], rest: list[Any]) -> Any:
        args, options = jax.tree.unflatten(treedef, rest)
        return fn(jax.tree.unflatten(whole.treedef, params), *args, **options)

    wide = [
        jax.ShapeDtypeStruct(aval.shape, jnp.result_type(leaf))
        for aval, leaf in zip(whole.avals, leaves, strict=True)
    ]
    program = whole.traced(flat, wide, rest)
    run = runner(whole, program)
    return jax.make_jaxpr(run)(*leaves, *rest), program.out_tree


def runner(whole: Whole, program: wiring.Program) -> Callable[..., list[Any]]:
    """A program as a function of what is left of its first inputs, the params, and its others."""
    known = whole.known(program)
    kept = _kept(program, known, dict(zip(program.inputs, whole.lefts, strict=False)))
    again = _again(program, known, kept)
    _check_averages(program, kept)

    def run(*arrays: Any) -> list[Any]:
        return wiring.run(program, kept, again, arrays)

    return run


def _kept(program: wiring.Program, known: wiring.Known, lefts: dict[int, Left]) -> wiring.KeptOf:
    """The indices of all values that are left if these are left of some of the inputs."""
    axes = wiring.axes_of(program)
    constraints = wiring.constraints_of(wiring.Context(axes, known, False))
    whole = [value for value in program.inputs if value not in lefts]
    constraints += wiring.held(axes, whole, None)
    gone, kept = [], []
    for value, left in lefts.items():
        for indices, own in zip(axes.all_of(value), left, strict=True):
            gone.append(indices[~own])
            kept.append(indices[own])
    try:
        flags = ~wiring.gone_with(constraints, axes.count, gone, kept)
    except wiring.ConflictError as conflict:
        raise ValueError(_message(conflict.step)) from None

    @functools.cache
    def of(value: int) -> list[np.ndarray]:
        return [flags[indices] for indices in axes.all_of(value)]

    return of


def _check_averages(program: wiring.Program, kept: wiring.KeptOf) -> None:
    """No gradient was taken of an average over fewer units: it divides by how many there were."""
    fewer = next(iter(wiring.over_fewer(program, kept)), None)
    derived = any(wiring.in_derivative(step) for step in wiring.all_steps(program.steps))
    if fewer and derived:
        raise ValueError(
            f"the function takes a gradient of the average at {source_line(fewer)}, which is now "
            "of the units that are left; take the gradient of small.of(loss) instead"
        )


def _message(step: wiring.Step | None) -> str:
    where = f"'{step.name}' at {source_line(step)} uses" if step else "it uses"
    return (
        f"the function can't run on what is left of the params: {where} units that were "
        "removed, which would change its results. Compact with this function as apply_fn, or with "
        "both: sf.compact(lambda params, x: (first(params, x), second(params, x)), ...)"
    )


def _again(program: wiring.Program, known: wiring.Known, kept: wiring.KeptOf) -> wiring.Again:
    """The same for derivatives of a program's steps."""

    def again(derivative: wiring.Program, step: wiring.Step) -> Any:
        moved, fixed = (
            [value for value in values if wiring.is_float(program.avals[value])]
            for values in (step.operands, step.results)
        )
        # Tangents are pushed from operands to results, cotangents pulled back.
        forward = step.name == "custom_jvp_call"
        inputs = [*step.operands, *(moved if forward else fixed)]
        outputs = [*step.results, *fixed] if forward else moved
        facts = [known.facts[value] for value in step.operands]
        facts += [wiring.unknown(len(program.shape(value))) for value in inputs[len(facts) :]]
        own = wiring.learned(derivative, facts, derivative.inputs)
        inner = [*derivative.inputs, *derivative.outputs]
        lefts = {a: tuple(kept(b)) for a, b in zip(inner, [*inputs, *outputs], strict=True)}
        left = _kept(derivative, own, lefts)
        return left, _again(derivative, own, left)

    return again
