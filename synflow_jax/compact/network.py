"""The smaller dense network that equals a masked one."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import jaxpr_as_fun

from synflow_jax import units
from synflow_jax.checks import called, check_callable, check_mask, check_values, leaf_name, named_leaves
from synflow_jax.compact.leaves import Left, cut, filled, like_params
from synflow_jax.masks import apply_mask
from synflow_jax.source_lines import source_line
from synflow_jax.types import ApplyFn, Mask, Params

Constants = Literal["keep", "at_zero", "drop"]


@dataclass(frozen=True)
class Compact:
    params: Params
    mask: Mask
    apply_fn: ApplyFn
    whole: Any = field(repr=False)

    def of(self, fn):
        return self.whole.of(fn)

    def shrink(self, tree):
        return like_params(cut, tree, self.whole.treedef, self.whole.lefts)

    def expand(self, tree):
        return like_params(filled, tree, self.whole.treedef, self.whole.lefts)


@dataclass(frozen=True, eq=False)
class Whole:
    """The network before."""

    treedef: Any
    shapes: list[tuple[int, ...]]
    facts: list[units.Fact]
    lefts: list[Left]
    names: list[str]
    taken_as: Callable[[units.Fact], units.Fact]

    def of(self, fn):
        cache = {}

        @functools.wraps(fn)
        def smaller(params, *args, **kwargs):
            leaves, treedef = jax.tree.flatten((args, kwargs))
            small = jax.tree.leaves(params)
            if jax.tree.structure(params) != self.treedef:
                raise ValueError("params must have the structure of small.params")
            key = treedef, tuple(str(jax.typeof(x)) + str(getattr(x,'weak_type',None)) for x in (*small, *leaves))
            if key not in cache:
                cache[key] = self.smaller(fn, small, leaves, treedef)
            closed, out_tree = cache[key]
            return jax.tree.unflatten(out_tree, jaxpr_as_fun(closed)(*small, *leaves))

        return smaller

    def smaller(self, fn, small, leaves, treedef):
        def flat(params, rest):
            args, kwargs = jax.tree.unflatten(treedef, rest)
            return fn(jax.tree.unflatten(self.treedef, params), *args, **kwargs)

        wide = [jax.ShapeDtypeStruct(shape, x.dtype) for shape, x in zip(self.shapes, small, strict=True)]
        program = units.traced(flat, wide, list(leaves))
        kept = self.kept(program)
        again = again_of(program, kept, self.taken_as)
        run = lambda *arrays: units.run(program, kept, again, arrays)
        return jax.make_jaxpr(run)(*small, *leaves), program.out_tree

    def kept(self, program):
        count = len(self.facts)
        given = [*self.facts, *(units.unknown(len(program.shape(v))) for v in program.inputs[count:])]
        facts = units.facts_of(program, given, self.taken_as)
        return kept_of(program, facts, program.inputs[:count], self.lefts, program.inputs[count:])


def kept_of(program, facts, values, lefts, whole):
    axes = units.axes_of(program)
    constraints = units.constraints_of(units.Context(axes, facts, False))
    constraints += units.held(axes, whole, None)
    gone, kept = [], []
    for value, left in zip(values, lefts, strict=True):
        for indices, own in zip(axes.all_of(value), left, strict=True):
            gone.append(indices[~own])
            kept.append(indices[own])
    flags = ~units.gone_with(constraints, axes.count, gone, kept)

    def kept_fn(value):
        return [flags[indices] for indices in axes.all_of(value)]
    kept_fn = functools.cache(kept_fn)
    kept_fn.facts = facts
    return kept_fn


def again_of(program, kept, taken_as):
    """For derivatives of steps: what they keep."""
    def again(derivative, step):
        values = [*step.operands]
        floats = [v for v in step.operands if jnp.issubdtype(program.avals[v].dtype, jnp.floating)]
        rest = len(derivative.inputs) - len(values)
        second = floats if step.name == "custom_jvp_call" else [v for v in step.results if jnp.issubdtype(program.avals[v].dtype, jnp.floating)]
        facts = kept.facts
        given = [facts[v] for v in values] + [units.unknown(len(program.shape(v))) for v in second]
        inner = units.facts_of(derivative, given)
        lefts = [tuple(kept(v)) for v in [*values, *second]]
        own = kept_of(derivative, inner, derivative.inputs, lefts, [])
        return own, again_of(derivative, own, taken_as)
    return again


def compact(apply_fn, params, mask, inputs, *, constants="keep"):
    check_callable("apply_fn", apply_fn, "params, inputs", "apply_fn")
    check_mask(mask, params)
    treedef = jax.tree.structure(params)
    names = [name for name, _ in named_leaves(params)]
    leaves, masks = jax.tree.leaves(params), jax.tree.leaves(mask)
    program = units.traced(
        lambda leaves, inputs: apply_fn(jax.tree.unflatten(treedef, leaves), inputs),
        [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in leaves], inputs)
    facts = [fact_of(leaf, m) for leaf, m in zip(leaves, masks)]
    taken = {"keep": lambda f: f, "at_zero": lambda f: f._replace(moves=np.zeros_like(f.moves)),
       "drop": lambda f: units.unknown(f.varies.ndim, f.varies)}[constants]
    lefts = smallest_lefts(program, facts, taken)
    whole = Whole(treedef, [x.shape for x in leaves], facts, lefts, names, taken)
    return Compact(like_params(cut, apply_mask(mask, params), treedef, lefts), like_params(cut, mask, treedef, lefts), whole.of(apply_fn), whole)


def fact_of(leaf, mask):
    if not jnp.issubdtype(leaf.dtype, jnp.floating):
        return units.unknown(leaf.ndim) if jnp.issubdtype(leaf.dtype, jax.dtypes.extended) else units.known(np.asarray(leaf))
    mask = np.broadcast_to(np.asarray(mask), np.shape(leaf))
    if mask.all():
        mask_ = np.ones((1,)*leaf.ndim, bool)
        return units.Fact(np.zeros((1,)*leaf.ndim, bool), np.asarray(leaf), mask_)
    return units.Fact(np.zeros((1,)*leaf.ndim, bool), np.where(mask, np.asarray(leaf), 0), np.asarray(mask))


def smallest_lefts(program, facts, taken_as):
    count = len(facts)
    given = [*facts, *(units.unknown(len(program.shape(v))) for v in program.inputs[count:])]
    known = units.facts_of(program, given, taken_as)
    axes = units.axes_of(program)
    constraints = units.constraints_of(units.Context(axes, known, False))
    constraints += units.held(axes, program.inputs[count:], None)
    used_values = {v for step in units.all_steps(program.steps) for v in step.operands} | set(program.outputs)
    constraints += units.held(axes, [v for v in program.inputs[:count] if v not in used_values], None)
    outs = [i for v in program.outputs for i in axes.all_of(v)]
    while True:
        kept = units.smallest(constraints, axes.count, outs)
        empty = [i for v in program.inputs[:count] for i in axes.all_of(v) if len(i) and (kept.reasons[i] == units.GONE).all()]
        if not empty:
            break
        constraints.append(units.Hold(empty[0][:1], None))
    return [tuple(kept.reasons[i] < units.GONE for i in axes.all_of(v)) for v in program.inputs[:count]]
