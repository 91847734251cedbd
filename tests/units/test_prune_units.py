"""Pruning units: against NumPy, to targets, by class, and what is refused."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("wide")

SIZES = (6, 11, 9, 7, 3)
INPUTS = np.ones((1, 6))


def apply_fn(params: Any, x: jax.Array) -> jax.Array:
    for own in params[:-1]:
        x = jax.nn.relu(x @ own["kernel"] + own["bias"][None])
    return x @ params[-1]["kernel"] + params[-1]["bias"][None]


def drawn(seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    return [
        {
            "kernel": jax.device_put(rng.normal(size=pair)),
            "bias": jax.device_put(rng.normal(size=pair[1])),
        }
        for pair in pairwise(SIZES)
    ]


def flow_scores(kernels: list[np.ndarray]) -> list[np.ndarray]:
    """SynFlow of dense layers without biases."""
    sizes = [np.abs(kernel) for kernel in kernels]
    into = [np.ones(SIZES[0])]
    for kernel in sizes[:-1]:
        into.append(into[-1] @ kernel)
    out = [np.ones(SIZES[-1])]
    for kernel in sizes[:0:-1]:
        out.insert(0, kernel @ out[0])
    return [
        before[:, None] * kernel * after
        for before, kernel, after in zip(into, sizes, out, strict=True)
    ]


Reduce = Callable[..., np.ndarray]
REDUCE: dict[str, Reduce] = {
    "sum": lambda scores, kept: scores.sum(0),
    "mean": lambda scores, kept: scores.sum(0) / max(kept.sum(), 1),
    "norm": lambda scores, kept: np.sqrt((scores**2).sum(0)),
}


def numbers(alive: list[np.ndarray], measure: str) -> int:
    """Weights and biases, multiplications, or units that are left."""
    sizes = [SIZES[0], *(int(own.sum()) for own in alive), SIZES[-1]]
    weights = sum(a * b for a, b in pairwise(sizes))
    return {
        "weights": weights + sum(sizes[1:]),
        "multiplications": weights,
        "units": sum(sizes[1:-1]),
    }[measure]


def slowly(params: Any, measure: str, fraction: float, rounds: int, reduce: str) -> Any:
    """Units go one by one, those with the lowest scores first, till the target is met."""
    alive = [np.ones(size, bool) for size in SIZES[1:-1]]
    whole = numbers(alive, measure)
    for round_ in range(1, rounds + 1):
        goal = fraction ** (round_ / rounds) * whole
        kernels = [np.array(own["kernel"]) for own in params]
        for position, own in enumerate(alive):
            kernels[position] = kernels[position] * own
            kernels[position + 1] = kernels[position + 1] * own[:, None]
        scores, ones = flow_scores(kernels), [True] * SIZES[0]
        by_unit = [
            REDUCE[reduce](scores[i], np.array(ones if i == 0 else alive[i - 1]))
            for i in range(len(alive))
        ]
        order = sorted(
            (by_unit[i][j], -i, -j) for i, own in enumerate(alive) for j in np.flatnonzero(own)
        )
        for _, i, j in order:
            # Of units as many stay as are asked for or more, of what they cost as much or less.
            met = numbers(alive, measure) <= (np.ceil(goal) if measure == "units" else goal)
            if met:
                break
            if alive[-i].sum() > 1:
                alive[-i][-j] = False
    return alive


@pytest.mark.parametrize("reduce", ["sum", "mean", "norm"])
@pytest.mark.parametrize(
    ("measure", "fraction"), [("weights", 0.3), ("multiplications", 0.2), ("units", 0.4)]
)
def test_against_numpy(measure: str, fraction: float, reduce: Any) -> None:
    params = drawn()
    units = sf.units(apply_fn, params, INPUTS)
    score_fn = sf.synflow(apply_fn, INPUTS, biases=False, dtype=jnp.float64)
    mask, history = sf.prune_units(
        score_fn, params, units, rounds=4, reduce=reduce, **{measure: fraction}
    )
    expected = slowly(params, measure, fraction, 4, reduce)
    for position, own in enumerate(expected):
        np.testing.assert_array_equal(mask[position]["bias"], own)
        before = expected[position - 1] if position else np.ones(SIZES[0], bool)
        np.testing.assert_array_equal(mask[position]["kernel"], np.outer(before, own))
    assert mask[-1]["bias"].shape == ()
    assert getattr(history, measure)[-1] == numbers(expected, measure)
    np.testing.assert_array_equal(history.units_by_class[-1], [own.sum() for own in expected])
    assert history.weights.shape == (4,)


def test_another_target_compiles_nothing() -> None:
    params, traces, counts = drawn(), [], []

    def score_fn(params: Any, mask: Any, batch: Any, key: Any) -> Any:
        traces.append(mask)
        return sf.magnitude()(params, mask, batch, key)

    units = sf.units(apply_fn, params, INPUTS)
    for fraction in (0.5, 0.9):
        _, history = sf.prune_units(score_fn, params, units, weights=fraction, rounds=2)
        assert fraction - 0.1 < history.weights[-1] / units.weights <= fraction
        counts.append(len(traces))
    assert counts[0] == counts[1]


def test_the_flow_into_a_unit_is_the_flow_out_of_it() -> None:
    """So a unit's score is the same whichever side is added up; in a stage of residual blocks,
    where several kernels end in a unit and several lead out of it, too.
    """

    def residual(params: Any, x: jax.Array) -> jax.Array:
        x = x @ params["stem"]
        for block in params["blocks"]:
            x = x + jax.nn.relu(x @ block["up"] * block["scale"][None]) @ block["down"]
        return x @ params["head"]

    rng = np.random.default_rng(0)

    def draw(*shape: int) -> jax.Array:
        return jax.device_put(rng.normal(size=shape))

    blocks = [{"up": draw(8, 12), "scale": draw(12), "down": draw(12, 8)} for _ in range(3)]
    params = {"stem": draw(5, 8), "blocks": blocks, "head": draw(8, 4)}
    inputs = np.ones((1, 5))
    units = sf.units(residual, params, inputs)
    scores = sf.synflow(residual, inputs, dtype=jnp.float64)(
        params, sf.full_mask(params), None, None
    )
    leaves = dict(zip(units._names, jax.tree.leaves(scores), strict=True))
    assert len(units.classes) == 4
    for own in units.classes:
        sides = {
            role: sum(
                np.asarray(leaves[each.name]).sum(1 - each.axis)
                for each in own.touches
                if each.role == role
            )
            for role in ("in", "out")
        }
        np.testing.assert_allclose(sides["in"], sides["out"], rtol=1e-12)


def test_each_class_keeps_the_same_fraction() -> None:
    params = drawn()
    units = sf.units(apply_fn, params, INPUTS)
    for measure, fraction in (("units", 0.5), ("weights", 0.4), ("multiplications", 0.1)):
        _, history = sf.prune_units(
            sf.magnitude(), params, units, per_class=True, rounds=1, **{measure: fraction}
        )
        sizes, left = np.array(SIZES[1:-1]), history.units_by_class[-1]
        if measure == "units":
            np.testing.assert_array_equal(left, sizes - sizes // 2)
            continue
        # Every larger fraction that changes anything exceeds the target.
        more = min((count + 1e-9) / size for count, size in zip(left, sizes, strict=True))
        larger = np.maximum(left, sizes - np.floor((1 - more) * sizes).astype(int))
        whole = numbers([np.ones(size, bool) for size in sizes], measure)
        flags = [np.arange(size) < count for size, count in zip(sizes, larger, strict=True)]
        assert getattr(history, measure)[-1] <= fraction * whole < numbers(flags, measure)


def test_every_class_keeps_some() -> None:
    params = drawn()
    params[1]["kernel"] = params[1]["kernel"] * 1e-3
    units = sf.units(apply_fn, params, INPUTS)
    mask, history = sf.prune_units(
        sf.magnitude(), params, units, units=0.5, rounds=3, minimum=2, reduce="mean"
    )
    assert history.units_by_class[-1].tolist()[1] == 2
    assert history.at_minimum[-1].tolist() == [False, True, False]
    assert history.units[-1] == 14
    assert int(mask[1]["bias"].sum()) == 2


def test_only_some_classes() -> None:
    params = drawn()
    units = sf.units(apply_fn, params, INPUTS)
    assert [own.name for own in units.classes] == [f"{i}/kernel[1]" for i in range(3)]
    for only in (["1/kernel"], ["1/kernel[1]"]):
        _, history = sf.prune_units(sf.magnitude(), params, units, units=0.8, rounds=1, only=only)
        assert history.units_by_class[-1].tolist() == [11, 4, 7]


def test_what_print_shows() -> None:
    units = sf.units(apply_fn, drawn(), INPUTS)
    lines = str(units).splitlines()
    assert lines[0].split() == ["class", "units", "averaged", "touches"]
    assert lines[1].split() == [
        *("0/kernel[1]", "11", "0/kernel[1]", "out,", "1/kernel[0]", "in,", "1", "others")
    ]
    assert repr(units) == f"Units(\n{units}\n)"
    assert (units.size, units.weights, units.multiplications) == (27, 279, 249)


def bad_call(name: str) -> Any:
    params = drawn()
    units = sf.units(apply_fn, params, INPUTS)
    score_fn = sf.magnitude()
    other = jax.tree.map(lambda leaf: leaf[..., :2], params)
    return {
        "no target": lambda: sf.prune_units(score_fn, params, units),
        "two": lambda: sf.prune_units(score_fn, params, units, weights=0.5, units=0.5),
        "none left": lambda: sf.prune_units(score_fn, params, units, weights=0.0),
        "more than all": lambda: sf.prune_units(score_fn, params, units, units=1.5),
        "not a number": lambda: sf.prune_units(score_fn, params, units, units="half"),
        "too few": lambda: sf.prune_units(score_fn, params, units, weights=0.01),
        "minimum": lambda: sf.prune_units(score_fn, params, units, weights=0.5, minimum=0),
        "other params": lambda: sf.prune_units(score_fn, other, units, weights=0.5),
        "other tree": lambda: sf.prune_units(score_fn, params[:-1], units, weights=0.5),
        "no units": lambda: sf.prune_units(score_fn, params, params, weights=0.5),
        "by name": lambda: sf.prune_units(score_fn, params, units, units=units),
        "outputs": lambda: sf.prune_units(score_fn, params, units, units=0.5, only=["3/kernel"]),
        "unknown": lambda: sf.prune_units(score_fn, params, units, units=0.5, only=["conv"]),
        "a string": lambda: sf.prune_units(score_fn, params, units, units=0.5, only="1/kernel"),
        "reduce": lambda: sf.prune_units(score_fn, params, units, units=0.5, reduce="max"),
        "random": lambda: sf.prune_units(sf.random(), params, units, units=0.5),
        "nan": lambda: sf.prune_units(
            lambda params, *_: jax.tree.map(lambda w: w * jnp.nan, params), params, units, units=0.5
        ),
        "zero": lambda: sf.prune_units(
            lambda params, *_: jax.tree.map(lambda w: 0 * w, params), params, units, units=0.5
        ),
        "traced": lambda: jax.jit(
            lambda params: sf.prune_units(score_fn, params, units, units=0.5)
        )(params),
        "not a function": lambda: sf.units(params, params, INPUTS),
        "other inputs": lambda: sf.units(apply_fn, params, np.ones((1, 5))),
        "one layer": lambda: sf.units(lambda p, x: x @ p[0]["kernel"], params, INPUTS),
    }[name]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("no target", ValueError, "pass one of weights, multiplications and units, got 0"),
        ("two", ValueError, "got 2"),
        ("none left", ValueError, "above 0 and at most 1; got weights=0"),
        ("more than all", ValueError, "got units=1.5"),
        ("not a number", TypeError, "units must be a number"),
        ("too few", ValueError, r"weights=0.01 can't be met.* 0.06093 of all weights"),
        ("minimum", ValueError, "minimum must be >= 1"),
        ("other params", ValueError, r"leaf '0/bias' has shape \(2,\), not \(11,\)"),
        ("other tree", ValueError, "the units are those of other params"),
        ("no units", TypeError, "unit_classes must be of type Units"),
        ("by name", TypeError, "pass sf.units.* third"),
        ("outputs", ValueError, "'3/kernel' can be pruned: it's among the network's outputs"),
        ("unknown", ValueError, "no class or parameter is named 'conv'"),
        ("a string", TypeError, r"pass \['1/kernel'\]"),
        ("reduce", ValueError, "reduce must be 'sum', 'mean' or 'norm', got 'max'"),
        ("random", ValueError, "key"),
        ("nan", ValueError, "scores of leaf '0/kernel' aren't finite in round 1"),
        ("zero", ValueError, "scores of all units are 0 in round 1"),
        ("traced", TypeError, "traced"),
        ("not a function", TypeError, "apply_fn must be a function"),
        ("other inputs", ValueError, "failed on data of"),
        ("one layer", ValueError, "no unit of the network can go"),
    ],
)
def test_bad_calls(name: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        bad_call(name)()
