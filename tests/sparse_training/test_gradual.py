"""Gradual pruning against NumPy by hand, weight for weight, and its counts with ties."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from by_hand import (
    DECAY,
    KERNELS,
    RATE,
    STEPS,
    Arrays,
    apply_fn,
    check_same,
    followed,
    full,
    highest,
    made,
    trained,
)

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")
# Not so far that a unit has one weight on either side, whose saliencies would be equal.
BEGIN, END, EVERY, COMPRESSION = 4, 40, 6, 5.0
CHANGES = range(BEGIN + EVERY, END + 1, EVERY)
SIZE = sum(made()[name].size for name in KERNELS)


def cubic(step: int) -> float:
    final = 1 / COMPRESSION
    return final + (1 - final) * (1 - (step - BEGIN) / (END - BEGIN)) ** 3


def linear(step: int) -> float:
    return 1 - (1 - 1 / COMPRESSION) * (step - BEGIN) / (END - BEGIN)


def exponential(step: int) -> float:
    return COMPRESSION ** -((step - BEGIN) / (END - BEGIN))


def kept(size: int, density: float) -> int:
    return size - int(np.floor((1 - density) * size))


def magnitude(step: int, w: Arrays, g: Arrays) -> Arrays:
    del step, g
    return {name: np.abs(w[name]) for name in KERNELS}


def saliency(step: int, w: Arrays, g: Arrays) -> Arrays:
    del step
    return {name: np.abs(w[name] * g[name]) for name in KERNELS}


def synflow(step: int, w: Arrays, g: Arrays) -> Arrays:
    """|w| dR/d|w| by what comes in and what goes out."""
    del step, g
    first, second, third = (np.abs(w[name]) for name in KERNELS)
    inner = np.ones(8) @ first
    outer = third.sum(1)
    return {
        "first": first * (second @ outer),
        "second": second * np.outer(inner, outer),
        "third": third * (inner @ second).reshape(-1, 1),
    }


def random(step: int, w: Arrays, g: Arrays) -> Arrays:
    del g
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(7), step), 0)
    scores = sf.random()(jax.tree.map(jnp.asarray, w), None, None, key)
    return {name: np.asarray(scores[name]) for name in KERNELS}


Score = Callable[[int, Arrays, Arrays], Arrays]


def rule_of(score: Score, density: Callable[[int], float], by_layer: Any) -> Any:
    """Who stays: the highest of all, or of each layer, among those that stayed before."""

    def rule(step: int, w: Arrays, g: Arrays, mask: Arrays) -> Arrays:
        scores = score(step, w, g)
        among = {name: np.where(mask[name], scores[name], -np.inf) for name in KERNELS}
        if by_layer is not None:
            counts = by_layer(density(step))
            return mask | {name: highest(among[name], counts[name]) for name in KERNELS}
        every = highest(
            np.concatenate([among[n].ravel() for n in KERNELS]), kept(SIZE, density(step))
        )
        parts = np.split(every, np.cumsum([among[n].size for n in KERNELS])[:-1])
        return mask | {
            n: part.reshape(among[n].shape) for n, part in zip(KERNELS, parts, strict=True)
        }

    return rule


def uniform(density: float) -> dict[str, int]:
    return {name: kept(made()[name].size, density) for name in KERNELS}


def kernel_densities(density: float) -> dict[str, int]:
    """Erdős-Rényi-Kernel by hand: (8 + 3) / 24 is the largest share, dense beyond 1.

    What rounding down leaves over goes to the largest remainders, the first of equal ones.
    """
    shares = {"first": 16 / 64, "second": 16 / 64, "third": 11 / 24}
    factor = density * SIZE / (16 + 16 + 11)
    if factor * shares["third"] > 1:
        factor = (density * SIZE - 24) / (16 + 16)
    exact = {n: made()[n].size * min(1.0, factor * share) for n, share in shares.items()}
    counts = {n: int(own) for n, own in exact.items()}
    by_remainder = sorted(exact, key=lambda n: round(int(exact[n]) - exact[n], 9))
    for name in by_remainder[: kept(SIZE, density) - sum(counts.values())]:
        counts[name] += 1
    return counts


CASES = {
    "magnitude": (sf.magnitude, magnitude, {}, cubic, None),
    "linear": (sf.magnitude, magnitude, {"schedule": sf.linear}, linear, None),
    "exponential": (sf.magnitude, magnitude, {"schedule": sf.exponential}, exponential, None),
    "local": (sf.magnitude, magnitude, {"select": sf.local_top_k}, cubic, uniform),
    "kernel": (sf.magnitude, magnitude, {"select": sf.erdos_renyi_kernel}, cubic, kernel_densities),
    "saliency": (sf.saliency, saliency, {}, cubic, None),
    "random": (sf.random, random, {"key": jax.random.key(7)}, cubic, None),
    "synflow": (lambda: sf.synflow(apply_fn, jnp.ones((1, 8))), synflow, {}, cubic, None),
}


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("name", CASES)
def test_against_numpy(name: str) -> None:
    make, score, options, density, by_layer = CASES[name]
    tx = sf.prune_gradually(
        optax.sgd(RATE, DECAY),
        make(),
        COMPRESSION,
        begin=BEGIN,
        end=END,
        every=EVERY,
        **options,
    )
    by_hand = followed(rule_of(score, density, by_layer), made(), full(), changes=CHANGES)
    check_same(trained(tx, made()), by_hand)


@pytest.mark.parametrize("end", [5, 6, 7])
def test_counts_are_exact_in_every_step_with_ties(end: int) -> None:
    """Weights that are all equal, which only their positions tell apart."""
    params = {"a": jnp.ones((5, 7)), "b": -jnp.ones((3, 4)), "bias": jnp.ones(3)}
    options = {"begin": 1, "end": end, "every": 2, "schedule": sf.linear}
    tx = sf.prune_gradually(optax.sgd(0.0), sf.magnitude(), 47.0, **options)
    state, update = tx.init(params), jax.jit(tx.update)
    changes = (end - 1) // 2
    for step in range(10):
        updates, state = update(params, state, params)
        params = optax.apply_updates(params, updates)
        done = min(max(0, step - 1) // 2, changes)
        density = 1 if not done else sf.linear(47.0, changes)[done - 1]
        left = np.concatenate([np.ravel(params[name]) for name in "ab"])
        assert np.count_nonzero(left) == kept(47, density)
        assert np.all(left[: kept(47, density)])
        assert bool(jnp.all(params["bias"] == 1))


def test_begin_at_end_prunes_at_once() -> None:
    params = {"kernel": jnp.arange(1.0, 11).reshape(2, 5)}
    tx = sf.prune_gradually(optax.sgd(0.0), sf.magnitude(), 5.0, begin=2, end=2, every=1)
    state = tx.init(params)
    counts = []
    for _ in range(4):
        updates, state = tx.update(params, state, params)
        params = optax.apply_updates(params, updates)
        counts.append(int(jnp.sum(params["kernel"] != 0)))
    assert counts == [10, 10, 2, 2]


def test_scores_that_are_not_finite_stay() -> None:
    params = {"kernel": jnp.array([[1.0, 2.0, 3.0, 4.0]])}
    gradient = {"kernel": jnp.array([[jnp.nan, 1.0, jnp.inf, 1.0]])}
    tx = sf.prune_gradually(optax.sgd(0.0), sf.saliency(), 2.0, begin=0, end=0, every=1)
    _, state = tx.update(gradient, tx.init(params), params)
    np.testing.assert_array_equal(state.mask["kernel"], [[True, False, True, False]])


def test_own_score_of_gradients() -> None:
    """Movement: what moves toward 0 goes."""
    score_fn = sf.GradientScores(lambda w, m, g, k: jax.tree.map(lambda w, g: -w * g, w, g))
    params = {"kernel": jnp.array([[1.0, -2.0, 3.0]])}
    gradient = {"kernel": jnp.array([[1.0, 1.0, -1.0]])}
    tx = sf.prune_gradually(optax.sgd(0.0), score_fn, 1.5, begin=0, end=0, every=1)
    _, state = tx.update(gradient, tx.init(params), params)
    np.testing.assert_array_equal(state.mask["kernel"], [[False, True, True]])


def test_pruned_weights_never_return() -> None:
    """Not even with the largest scores; NumPy is asked about all that stayed alone."""
    params = {"kernel": jnp.arange(1.0, 9).reshape(2, 4)}
    tx = sf.prune_gradually(
        optax.sgd(0.0), sf.random(), 8.0, begin=0, end=STEPS, every=5, key=jax.random.key(0)
    )
    state, update = tx.init(params), jax.jit(tx.update)
    before = np.ones((2, 4), bool)
    for _ in range(STEPS + 1):
        _, state = update(params, state, params)
        now = np.asarray(state.mask["kernel"])
        assert not np.any(now & ~before)
        before = now
    assert before.sum() == 1
