"""Rewiring against NumPy by hand, weight for weight, and its counts with ties."""

import math
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
    check_same,
    followed,
    full,
    highest,
    made,
    trained,
)

import synflow_jax as sf
from synflow_jax.sparse_training.momenta import without_momenta

pytestmark = pytest.mark.usefixtures("others_promote")
BEGIN, END, EVERY, FRACTION = 3, 47, 4, 0.5


def some(density: float = 0.3) -> Arrays:
    rng = np.random.default_rng(2)
    return full() | {name: rng.random(made()[name].shape) < density for name in KERNELS}


def cosine(step: int) -> float:
    return FRACTION / 2 * (1 + math.cos(math.pi * (step - BEGIN) / (END - BEGIN)))


def rule_of(fraction: Any, growth: Any) -> Any:
    def rule(step: int, w: Arrays, g: Arrays, mask: Arrays) -> Arrays:
        new = dict(mask)
        for name in KERNELS:
            kept = int(mask[name].sum())
            n = min(math.floor(fraction(step) * kept), mask[name].size - kept)
            stayed = highest(np.where(mask[name], np.abs(w[name]), -np.inf), kept - n)
            grown = highest(np.where(mask[name], -np.inf, growth(step, w, g)[name]), n)
            new[name] = stayed | grown
        return new

    return rule


def steepest(step: int, w: Arrays, g: Arrays) -> Arrays:
    del step, w
    return {name: np.abs(g[name]) for name in KERNELS}


def random(step: int, w: Arrays, g: Arrays) -> Arrays:
    del g
    key = jax.random.fold_in(jax.random.key(7), step)
    scores = sf.random()(jax.tree.map(jnp.asarray, w), None, None, key)
    return {name: np.asarray(scores[name]) for name in KERNELS}


CASES = {
    "RigL": (steepest, cosine, {"fraction": FRACTION}, 0.3),
    "SET": (
        random,
        cosine,
        {"fraction": FRACTION, "grow": "random", "key": jax.random.key(7)},
        0.3,
    ),
    "skipping": (steepest, cosine, {"fraction": FRACTION, "skip_step": True}, 0.3),
    "own fraction": (steepest, lambda t: 1 / t, {"fraction": lambda t: 1 / t}, 0.3),
    "few pruned": (steepest, cosine, {"fraction": FRACTION}, 0.9),
}


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("name", CASES)
def test_against_numpy(name: str) -> None:
    growth, fraction, options, density = CASES[name]
    mask = some(density)
    tx = sf.rewire(
        optax.sgd(RATE, DECAY),
        mask | {"bias": True},
        every=EVERY,
        begin=BEGIN,
        end=END,
        **options,
    )
    by_hand = followed(
        rule_of(fraction, growth),
        made(),
        mask,
        changes=range(BEGIN + EVERY, END, EVERY),
        reset=True,
        skip=options.get("skip_step", False),
    )
    ours = trained(tx, {name: w * mask[name] for name, w in made().items()})
    check_same(ours, by_hand)
    for found, _ in ours:
        assert all(found[n].sum() == mask[n].sum() for n in KERNELS)
    assert any((ours[-1][0][n] != mask[n]).any() for n in KERNELS)


def test_counts_are_exact_in_every_step_with_ties() -> None:
    """All magnitudes and all gradients are equal: positions decide."""
    params = {"a": jnp.ones((5, 7)), "b": jnp.ones((7, 5)), "c": jnp.ones((2, 2))}
    mask = {"a": jnp.arange(35).reshape(5, 7) < 10, "b": jnp.ones((7, 5), bool), "c": True}
    tx = sf.rewire(optax.sgd(0.0), mask, every=1, end=STEPS, fraction=lambda t: 0.25)
    state, update = tx.init(params), jax.jit(tx.update)
    params = sf.apply_mask(mask, params)
    for step in range(5):
        gradient = jax.tree.map(jnp.ones_like, params)
        updates, state = update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        # Two of ten go, the last of those that aren't 0; grown ones are 0 and go first.
        expected = np.r_[np.ones(10 if not step else 8), np.zeros(25 if not step else 27)].astype(
            bool
        )
        if step:
            expected[[10, 11] if step % 2 else [8, 9]] = True
        np.testing.assert_array_equal(np.ravel(state.mask["a"]), expected)
        assert bool(jnp.all(state.mask["b"]))
        assert state.mask["c"].shape == ()


def test_drops_and_grows_the_same_number_where_few_are_pruned() -> None:
    params = {"kernel": jnp.arange(1.0, 11).reshape(2, 5)}
    mask = {"kernel": jnp.arange(10).reshape(2, 5) != 9}
    tx = sf.rewire(optax.sgd(0.0), mask, every=1, end=3, fraction=lambda t: 1.0)
    state = tx.init(params)
    for _ in range(2):
        updates, state = tx.update(params, state, params)
        params = optax.apply_updates(params, updates)
    np.testing.assert_array_equal(np.flatnonzero(~np.asarray(state.mask["kernel"])), [0])


def test_a_mask_that_broadcasts_is_spread() -> None:
    params = {"kernel": jnp.arange(1.0, 9).reshape(2, 4)}
    channels = {"kernel": jnp.array([[True, False, True, False]])}
    tx = sf.rewire(optax.sgd(0.0), channels, every=1, end=3, fraction=lambda t: 0.5)
    state = tx.init(params)
    assert state.mask["kernel"].shape == (2, 4)
    for _ in range(2):
        _, state = tx.update(params, state, params)
    # Of four kept weights the two lowest went, and the two largest gradients came.
    np.testing.assert_array_equal(np.flatnonzero(state.mask["kernel"]), [4, 5, 6, 7])


INNER = {
    "momentum": optax.sgd(0.1, 0.9),
    "adam": optax.adamw(0.1),
    "clipped": optax.chain(optax.clip(1.0), optax.adam(0.1)),
    "injected": optax.inject_hyperparams(optax.adam)(learning_rate=0.1),
    "parted": optax.partition(
        {"fast": optax.sgd(0.1, 0.9), "slow": optax.adam(0.01)}, {"kernel": "fast", "bias": "slow"}
    ),
    "accumulated": optax.MultiSteps(optax.adam(0.1), 2).gradient_transformation(),
}


@pytest.mark.parametrize("name", INNER)
def test_momenta_are_zero_at_new_weights(name: str) -> None:
    params = {"kernel": jnp.arange(1.0, 7).reshape(2, 3), "bias": jnp.ones(3)}
    inner, gradient = INNER[name], jax.tree.map(jnp.ones_like, params)
    _, state = inner.update(gradient, inner.init(params), params)
    where = {
        "kernel": jnp.array([[True, False, False], [False, False, True]]),
        "bias": jnp.array(False),
    }
    new = without_momenta(state, where, params)
    changed = 0
    for before, after in zip(jax.tree.leaves(state), jax.tree.leaves(new), strict=True):
        if before.shape == (2, 3):
            np.testing.assert_array_equal(after, np.where(where["kernel"], 0, before))
            changed += bool(jnp.any(before != after))
        else:
            np.testing.assert_array_equal(after, before)
    assert changed


def test_grown_weights_start_at_zero_and_train_at_once() -> None:
    params = {"kernel": jnp.array([[1.0, 4.0, 0.0, 0.0]])}
    mask = {"kernel": jnp.array([[True, True, False, False]])}
    gradient = {"kernel": jnp.array([[1.0, 1.0, 2.0, 3.0]])}
    for skip, expected in ((False, [0.0, 3.8, 0.0, -0.3]), (True, [0.0, 3.9, 0.0, 0.0])):
        tx = sf.rewire(optax.sgd(0.1), mask, every=1, end=3, fraction=1.0, skip_step=skip)
        state, now = tx.init(params), params
        for _ in range(2):
            updates, state = tx.update(gradient, state, now)
            now = optax.apply_updates(now, updates)
        np.testing.assert_allclose(now["kernel"], [expected], rtol=1e-6)
