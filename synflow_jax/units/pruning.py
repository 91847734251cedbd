"""Pruning units in rounds: score the weights, add up their scores by unit, keep the highest."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.checks import (
    check_batch,
    check_bool,
    check_callable,
    check_instance,
    check_key,
    check_params,
    check_rounds,
    check_score_fn,
    check_values,
)
from synflow_jax.homogeneous import registrations
from synflow_jax.rounds import check_scores, round_densities
from synflow_jax.schedules import exponential
from synflow_jax.types import Mask, Params, Schedule, ScoreFn
from synflow_jax.units.classes import UnitClass, Units
from synflow_jax.units.layout import Layout, Reduce, exact, leaf_masks, relative, unit_scores
from synflow_jax.units.targets import (
    Measure,
    check_reachable,
    check_target,
    class_counts,
    cost_of,
)


class UnitHistory(NamedTuple):
    """What is left after each round; the leading axis of every array is the round.

    Attributes:
        units: units left, int64 of shape ``(rounds,)``.
        units_by_class: units left in each class, int64 of shape ``(rounds, classes)``.
        weights: numbers left in all params, int64 of shape ``(rounds,)``.
        multiplications: multiply-adds left of dense and convolutional layers for one input, int64
            of shape ``(rounds,)``.
        at_minimum: whether a class may lose no more units, bool of shape ``(rounds, classes)``:
            others were pruned in place of its own.
    """

    units: np.ndarray
    units_by_class: np.ndarray
    weights: np.ndarray
    multiplications: np.ndarray
    at_minimum: np.ndarray


def prune_units(
    score_fn: ScoreFn,
    params: Params,
    unit_classes: Units,
    /,
    *,
    weights: float | None = None,
    multiplications: float | None = None,
    units: float | None = None,
    batch: Any = None,
    key: jax.Array | None = None,
    rounds: int = 100,
    schedule: Schedule = exponential,
    reduce: Reduce = "sum",
    per_class: bool = False,
    minimum: int = 1,
    only: Sequence[str] | None = None,
) -> tuple[Mask, UnitHistory]:
    """A mask that keeps the units with the highest scores, found in ``rounds`` rounds.

    The score of a unit is the sum (or ``reduce``) of the scores of the weights that end in it.
    SynFlow's are conserved: those that enter a hidden unit add up to those that leave it, so that
    the score is the flow through the unit, whichever side is added up (Tanaka et al. 2020,
    arXiv:2006.05467, theorem 1). In each round weights are scored with those of pruned units at
    zero; all rounds run in one compiled call. Of a pruned unit the mask keeps nothing: neither what
    ends in it nor what leads out, biases and scales included, so that `compact` removes it.

    Args:
        score_fn: as for `prune`.
        params: a pytree of floating-point arrays.
        unit_classes: from `units`, of these params.
        weights: the fraction of all numbers in params that should be left.
        multiplications: or that of the multiply-adds of dense and convolutional layers.
        units: or that of the units: of N exactly ``N - floor((1 - units) * N)``. Of weights and
            multiplications a round keeps the most units with which the target is met, so that the
            next one would exceed it.
        batch: data for the score function.
        key: a ``jax.random.key`` for the score function, folded with the round's number.
        rounds: score-and-cut steps.
        schedule: `exponential`, `linear`, or your own, of the fraction that is left.
        reduce: ``"sum"``, ``"mean"`` or ``"norm"`` (Euclidean) of the weights' scores.
        per_class: whether all classes keep the same fraction of their units, N of a class
            ``N - floor((1 - fraction) * N)``; else all units compete.
        minimum: how many units each class keeps at least, since one without any cuts the network.
        only: classes to prune, by their names or by those of the params that end in them; by
            default all.

    Returns:
        The mask, with the structure of params: boolean leaves of the parameter's shape where it has
        units, scalar ``True`` elsewhere; and a `UnitHistory` with one row a round.

    Raises:
        ValueError: not one target is given, it's out of range or can't be met with ``minimum``, the
            units aren't those of params, a name in ``only`` is no class, scores aren't finite, or
            all of them are 0.
        TypeError: an argument is of another kind, or it's called under ``jit``.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> def apply_fn(params, x):
    ...     return jax.nn.relu(x @ params["hidden"]) @ params["output"]
    >>> params = {"hidden": jnp.array([[1.0, 3.0, 2.0]]), "output": jnp.ones((3, 1))}
    >>> units = sf.units(apply_fn, params, jnp.ones((1, 1)))
    >>> mask, history = sf.prune_units(sf.magnitude(), params, units, units=0.5, rounds=1)
    >>> mask["hidden"]
    Array([[False,  True,  True]], dtype=bool)
    >>> sf.compact(apply_fn, params, mask, jnp.ones((1, 1))).params["hidden"]
    Array([[3., 2.]], dtype=float32)
    """
    check_score_fn(score_fn)
    check_values({"params": params, "batch": batch, "key": key})
    check_params(params)
    check_batch(batch)
    check_key(key)
    _check_units(unit_classes, units, params)
    target = check_target(weights, multiplications, units)
    rounds, minimum = check_rounds(rounds), check_rounds(minimum, "minimum")
    check_callable("schedule", schedule, "compression, rounds", "sf.exponential or sf.linear")
    if reduce not in ("sum", "mean", "norm"):
        raise ValueError(f"reduce must be 'sum', 'mean' or 'norm', got {reduce!r}")
    least = _least(unit_classes, minimum, only)
    if not (check_bool("per_class", per_class) and target.measure == "units"):
        check_reachable(target, unit_classes, least)
    fractions = round_densities(schedule, 1 / target.fraction, rounds)
    layout = unit_classes._layout
    steps = [target._replace(fraction=float(each)) for each in fractions]
    if per_class:
        goals = np.stack([class_counts(step, layout, least) for step in steps]).astype(np.int32)
    elif target.measure == "units":
        size = unit_classes.size
        goals = np.maximum(size - np.floor((1 - fractions) * size), least.sum()).astype(np.int32)
    else:
        goals = fractions
    plan = _Plan(score_fn, unit_classes, target.measure, reduce, registrations())
    each = _compiled(plan, params, jnp.asarray(goals), jnp.asarray(least), batch=batch, key=key)
    alive, finite, positive = jax.tree.map(np.asarray, each)
    _check(finite, positive, unit_classes)
    shapes = [leaf.shape for leaf in jax.tree.leaves(params)]
    masks = list(map(jax.device_put, leaf_masks(layout, shapes, alive[-1])))
    return jax.tree.unflatten(jax.tree.structure(params), masks), _history(alive, layout, least)


def _check_units(unit_classes: Any, units: Any, params: Params) -> None:
    """They are of these params."""
    if isinstance(units, Units):
        raise TypeError("units is the fraction that should be left; pass sf.units(...) third")
    check_instance("unit_classes", unit_classes, Units, "sf.units(apply_fn, params, inputs)")
    leaves, treedef = jax.tree.flatten(params)
    shapes = [leaf.shape for leaf in leaves]
    expected = [aval.shape for aval in unit_classes._avals]
    if treedef != unit_classes._treedef or shapes != expected:
        pairs = zip(unit_classes._names, expected, shapes, strict=False)
        other = next((f"leaf '{n}' has shape {b}, not {a}" for n, a, b in pairs if a != b), treedef)
        raise ValueError(f"the units are those of other params: {other}; pass sf.units of these")


def _least(units: Units, minimum: int, only: Sequence[str] | None) -> np.ndarray:
    """The fewest units that each class keeps, int64."""
    sizes = np.array([each.size for each in units.classes], np.int32)
    least = np.minimum(sizes, np.int32(minimum))
    if only is None:
        return least
    if isinstance(only, str):
        raise TypeError(
            f"only must be a sequence of names, got the string {only!r}; pass [{only!r}]"
        )
    chosen = np.zeros(len(sizes), bool)
    for name in only:
        own = np.array([_is_named(each, name) for each in units.classes])
        if not own.any():
            raise ValueError(_no_class(name, units))
        chosen |= own
    return np.where(chosen, least, sizes)


def _is_named(own: UnitClass, name: str) -> bool:
    ends = [each for each in own.touches if each.role in ("out", "both")]
    return name == own.name or name in (e.name for e in ends)


def _no_class(name: str, units: Units) -> str:
    known = ", ".join(each.name for each in units.classes)
    if name in units._names:
        return (
            f"nothing that ends in '{name}' can be pruned: it's among the network's outputs, or an "
            f"operation holds it (print(units) tells); classes are {known}"
        )
    return f"no class or parameter is named {name!r}; classes are {known}"


class _Plan(NamedTuple):
    """What is compiled for.

    Attributes:
        score_fn: of weights.
        units: what is pruned.
        measure: of the targets.
        reduce: how a unit's score is made of those of weights.
        registered: how many rules the linear network had.
    """

    score_fn: ScoreFn
    units: Units
    measure: Measure
    reduce: Reduce
    registered: int


@partial(jax.jit, static_argnums=0)
def _compiled(
    plan: _Plan, params: Params, goals: jax.Array, least: jax.Array, *, batch: Any, key: Any
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The rounds: which units are alive after each, whether scores were finite and positive.

    ``goals`` are units of shape ``(rounds, classes)``, or of shape ``(rounds,)``.
    """
    layout, treedef = plan.units._layout, plan.units._treedef
    shapes = [aval.shape for aval in plan.units._avals]

    def step(alive: jax.Array, row: tuple[jax.Array, jax.Array]) -> Any:
        index, goal = row
        masks = leaf_masks(layout, shapes, alive)
        own_key = None if key is None else jax.random.fold_in(key, index)
        scores = plan.score_fn(params, jax.tree.unflatten(treedef, masks), batch, own_key)
        check_scores(scores, params)
        leaves = jax.tree.leaves(scores)
        finite = [
            jnp.isfinite(jnp.where(masks[leaf], leaves[leaf], 0)).all()
            for leaf, *_ in layout.scored
        ]
        by_unit = unit_scores(layout, leaves, masks, plan.reduce)
        ranks = _ranks(layout, jnp.where(alive, by_unit, -jnp.inf), least)
        alive = alive & _kept(layout, plan.measure, ranks, goal, least)
        return alive, (alive, jnp.stack(finite), (by_unit > 0).any())

    alive = jnp.ones(len(layout.class_of), bool)
    return lax.scan(step, alive, (jnp.arange(len(goals)), goals))[1]


class _Ranks(NamedTuple):
    """The order of units by score, from 0; of equal ones the first comes first.

    Attributes:
        own: within the class.
        common: among all, after those that each class keeps at least.
    """

    own: jax.Array
    common: jax.Array


def _ranks(layout: Layout, scores: jax.Array, least: jax.Array) -> _Ranks:
    count = len(layout.class_of)
    position = jnp.arange(count, dtype=jnp.int32)
    first = layout.starts[layout.class_of].astype(np.int32)
    order = jnp.lexsort((-scores, layout.class_of))
    own = jnp.zeros(count, jnp.int32).at[order].set(position) - first
    order = jnp.lexsort((-scores, own >= least[layout.class_of]))
    return _Ranks(own, jnp.zeros(count, jnp.int32).at[order].set(position))


def _kept(
    layout: Layout, measure: Measure, ranks: _Ranks, goal: jax.Array, least: jax.Array
) -> jax.Array:
    """The units that a round keeps, bool."""
    if goal.ndim:
        return ranks.own < goal[layout.class_of]
    cost = cost_of(measure, layout)
    if cost is None:
        return ranks.common < goal

    def half(_: Any, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        middle = (low + high + 1) // 2
        met = relative(cost, layout, ranks.common < middle) <= goal
        return jnp.where(met, middle, low), jnp.where(met, high, middle - 1)

    count = len(layout.class_of)
    bounds = (least.sum(dtype=jnp.int32), jnp.int32(count))
    return ranks.common < lax.fori_loop(0, count.bit_length(), half, bounds)[0]


def _check(finite: np.ndarray, positive: np.ndarray, units: Units) -> None:
    """All scores were finite, and some above 0 in the first round."""
    if not finite.all():
        round_, position = np.argwhere(~finite)[0].tolist()
        name = units._names[units._layout.scored[position][0]]
        raise ValueError(
            f"scores of leaf '{name}' aren't finite in round {round_ + 1}; look for inf or NaN in "
            "its params and batch, labels that are no class, or an overflow in the network"
        )
    if not positive[0]:
        raise ValueError(
            "the scores of all units are 0 in round 1, so that only their positions would decide: "
            "no path leads from the inputs to the outputs, or the loss depends on no weight"
        )


def _history(alive: np.ndarray, layout: Layout, least: np.ndarray) -> UnitHistory:
    classes = np.arange(len(layout.sizes))
    by_class = np.stack([alive[:, layout.class_of == own].sum(-1) for own in classes], -1)
    return UnitHistory(
        units=by_class.sum(-1),
        units_by_class=by_class,
        weights=exact(layout.weights, layout, alive),
        multiplications=exact(layout.multiplications, layout, alive),
        at_minimum=by_class <= least,
    )
