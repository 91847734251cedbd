"""Random networks of all operations: the linear network's scores against plain float64 ones."""

import math
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn import Draw, Operation, Shape, Step
from drawn_operations import HOLDING_ONCE, OPERATIONS
from linear_reference import (
    assert_scores_close,
    plain_scores,
    scores_and_power,
    without_power,
)

pytestmark = pytest.mark.unoptimized

SEEDS = [*range(20), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(20, 200))]
SHAPES = [(4,), (5, 3), (5, 6, 3), (3, 4, 3, 2)]
MOST_ELEMENTS = 400


class Network(NamedTuple):
    """A random network.

    Attributes:
        steps: the names of its operations and their shapes, to be read.
        exact: whether its arithmetic is.
        params: in float64.
        inputs: pytrees in float64, by name.
        apply: ``apply(params, inputs) -> outputs``.
    """

    steps: list[str]
    exact: bool
    params: list[list[np.ndarray]]
    inputs: dict[str, list[np.ndarray]]
    apply: Callable[[Any, Any], Any]


@jax.enable_x64(True)
def network(seed: int, operations: dict[str, Operation] = OPERATIONS, count: int = 8) -> Network:
    """At most ``count`` operations, drawn from some."""
    sizes = ["usual", "wide", "exact"][seed % 3]
    draw = Draw(np.random.default_rng(seed), exact=sizes == "exact")
    shape = (draw.number(1, 2), *draw.one_of(SHAPES))
    leaves, side = draw.number(1, 2), draw.axis(shape)
    inputs = _inputs(draw, shape, leaves)
    shape = (*shape[:side], leaves * shape[side], *shape[side + 1 :])
    early = draw.number(0, count)
    names, steps = _steps(draw, shape, seed, operations, count)

    def apply(params: Any, inputs: Any) -> Any:
        x = inputs[0] if leaves == 1 else jnp.concatenate(inputs, side)
        outputs = {}
        for i, (step, own) in enumerate(zip(steps, params, strict=True)):
            x = step.apply(own, x)
            if i == early:
                outputs["early"] = x
        return {"last": x, **outputs}

    params = [[_param(draw, s, sizes) for s in step.shapes] for step in steps]
    return Network(names, draw.exact, params, inputs, apply)


def _steps(
    draw: Draw, shape: Shape, seed: int, operations: dict[str, Operation], count: int
) -> tuple[list[str], list[Step]]:
    """Operations that follow on each other, in half of the networks mostly of one kind."""
    names, steps = [], []
    # One operation after another is the first that fits, so that a few seeds draw all of them.
    wanted = list(operations)[seed % len(operations)]
    mostly = {name: each for name, each in HOLDING_ONCE.items() if name in operations}
    usual = operations if draw.coin() else mostly
    for _ in range(draw.number(3, count)):
        name, step, after = _next(draw, shape, usual, wanted)
        wanted = None if name == wanted else wanted
        names.append(f"{name}: {shape} -> {after}, params {list(step.shapes)}")
        steps.append(step)
        shape = after
    # At the end all is told apart by a param each, and there is at least one.
    return names, [*steps, Step([shape], lambda params, x: x * params[0])]


def _next(
    draw: Draw, shape: Shape, usual: dict[str, Operation], wanted: str | None
) -> tuple[str, Step, Shape]:
    """An operation that fits the shape and whose result isn't too large, if possible ``wanted``."""
    for attempt in range(100):
        name = wanted if wanted and attempt < 10 else draw.one_of(list(usual))
        step = OPERATIONS[name](draw, shape)
        if step is None:
            continue
        structs = [jax.ShapeDtypeStruct(s, jnp.float64) for s in step.shapes]
        try:
            after = jax.eval_shape(step.apply, structs, jax.ShapeDtypeStruct(shape, jnp.float64))
        except ValueError:  # More is cut off than there is.
            continue
        if 2 <= len(after.shape) <= 5 and 0 < math.prod(after.shape) <= MOST_ELEMENTS:
            return name, step, after.shape
    raise ValueError(f"none of {list(usual)} fits {shape}")


def _inputs(draw: Draw, shape: Shape, leaves: int) -> dict[str, list[np.ndarray]]:
    def random() -> np.ndarray:
        repeats = tuple(1 if draw.rng.random() < 0.3 else size for size in shape)
        whole = draw.rng.integers(0, 4, repeats) if draw.exact else draw.rng.random(repeats)
        return np.broadcast_to(whole * (draw.rng.random(repeats) < 0.9), shape).astype(np.float64)

    return {"ones": [np.ones(shape)] * leaves, "random": [random() for _ in range(leaves)]}


def _param(draw: Draw, shape: Shape, sizes: str) -> np.ndarray:
    sign = draw.rng.choice([-1.0, 1.0], shape)
    match sizes:
        case "exact":
            return sign * draw.rng.integers(1, 3, shape)
        case "wide":
            return sign * 10 ** draw.rng.uniform(-6, 6, shape)
        case _:
            return draw.rng.normal(size=shape)


def check(drawn: Network, seed: int, *, factors: Sequence[float] = (1.0,)) -> None:
    """All that is compared, compiled at once; the params times each factor."""
    kinds = [(name, "float64") for name in drawn.inputs]
    if not drawn.exact:  # Beyond 2 ** 24 integers aren't exact in float32.
        kinds.append((sorted(drawn.inputs)[seed % 2], "float32"))

    # Known when tracing, so that equal slices are held once.
    inputs = {kind: [leaf.astype(kind[1]) for leaf in drawn.inputs[kind[0]]] for kind in kinds}

    def scored(params: Any, kind: tuple[str, str], inputs: Any) -> Any:
        params = jax.tree.map(lambda leaf: leaf.astype(kind[1]), params)
        return scores_and_power(drawn.apply, params, inputs)

    def every(params: Any) -> Any:
        expected = {
            name: plain_scores(drawn.apply, params, jax.tree.map(jnp.asarray, leaves))
            for name, leaves in drawn.inputs.items()
        }
        return expected, [scored(params, *each) for each in inputs.items()]

    compiled = jax.jit(every)
    for factor in factors:
        with jax.enable_x64(True):
            expected, ours = compiled(jax.tree.map(partial(operator.mul, factor), drawn.params))
        for (name, dtype), found in zip(inputs, ours, strict=True):
            print(f"params times {factor}, inputs: {name}, {dtype}")
            tolerance = 1e-12 if dtype == "float64" else 1e-5
            # What is further below the largest than the type's range may come out as 0.
            largest = max(np.asarray(leaf).max() for leaf in jax.tree.leaves(expected[name]))
            floor = float(np.finfo(dtype).tiny) * largest
            assert_scores_close(without_power(*found), expected[name], tolerance, floor=floor)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks_against_plain_gradients(seed: int) -> None:
    drawn = network(seed)
    print(f"network({seed}), inputs {drawn.inputs['ones'][0].shape}:", *drawn.steps, sep="\n  ")
    check(drawn, seed)


COMMON = {
    name: OPERATIONS[name]
    for name in (
        "conv",
        "max pool",
        "average pool",
        "dense",
        "scale",
        "residual",
        "relu",
        "joined",
    )
}


@pytest.mark.parametrize("seed", range(0, 24, 3))
def test_deep_random_networks_of_small_and_large_params(seed: int) -> None:
    drawn = network(seed, COMMON, 12)
    print(f"inputs {drawn.inputs['ones'][0].shape}:", *drawn.steps, sep="\n  ")
    last = drawn._replace(apply=lambda *given: drawn.apply(*given)["last"])
    check(last, seed, factors=(1e-10, 0.1, 1e10))


# They need a mesh, only print, or are of other releases of JAX.
NOT_DRAWN = frozenset(
    (
        "debug_callback debug_print expand_dims layout_constraint pcast psum psum_invariant pvary "
        "reshard sharding_constraint stop_gradient copy_p"
    ).split()
)


@jax.enable_x64(True)
def test_all_operations_are_drawn() -> None:
    from synflow_jax.homogeneous.rules import RULES

    names, primitives = set(), set()
    for seed in range(200):
        drawn = network(seed)
        names |= {step.partition(": (")[0] for step in drawn.steps}
        primitives |= _primitives(jax.make_jaxpr(drawn.apply)(drawn.params, drawn.inputs["ones"]))
    assert set(OPERATIONS) == names
    # JAX 0.10.0 stacks by a concatenation.
    stacked = _primitives(jax.make_jaxpr(lambda x: jnp.stack([x, x]))(1.0))
    assert set(RULES) - primitives - ({"stack"} - stacked) <= NOT_DRAWN <= set(RULES)


def _primitives(closed: Any) -> set[str]:
    found = set()
    for equation in closed.jaxpr.eqns:
        found.add(equation.primitive.name)
        for value in equation.params.values():
            inner = value if isinstance(value, tuple) else (value,)
            for each in inner:
                jaxpr = getattr(each, "jaxpr", each)
                if hasattr(jaxpr, "eqns"):
                    found |= _primitives(jax.extend.core.ClosedJaxpr(jaxpr, ()))
    return found
