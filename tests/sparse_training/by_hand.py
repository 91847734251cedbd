"""Sparse training by hand in NumPy: a network, its gradients, momentum, and who stays."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import synflow_jax as sf

RATE, DECAY, STEPS = 0.05, 0.9, 50
KERNELS = ("first", "second", "third")
Arrays = dict[str, np.ndarray]
Rule = Callable[[int, Arrays, Arrays, Arrays], Arrays]
"""``rule(step, weights, gradients, mask) -> mask``."""


def made() -> Arrays:
    """Weights of three dense layers, two of one shape, and a bias that isn't pruned."""
    rng = np.random.default_rng(0)
    sizes = {"first": (8, 8), "second": (8, 8), "third": (8, 3), "bias": (3,)}
    return {name: rng.normal(size=size) / 2 for name, size in sizes.items()}


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(16, 8)), rng.normal(size=(16, 3))


def loss_fn(params: Any) -> jax.Array:
    x, y = map(jnp.asarray, data())
    for name in ("first", "second"):
        x = jax.nn.relu(x @ params[name])
    return jnp.mean((x @ params["third"] + params["bias"].reshape(1, 3) - y) ** 2)


def apply_fn(params: Any, x: jax.Array) -> jax.Array:
    for name in ("first", "second"):
        x = jax.nn.relu(x @ params[name])
    return x @ params["third"]


def gradients(w: Arrays) -> Arrays:
    x, y = data()
    first = np.maximum(x @ w["first"], 0)
    second = np.maximum(first @ w["second"], 0)
    error = 2 * (second @ w["third"] + w["bias"] - y) / y.size
    to_second = (error @ w["third"].T) * (second > 0)
    to_first = (to_second @ w["second"].T) * (first > 0)
    return {
        "first": x.T @ to_first,
        "second": first.T @ to_second,
        "third": second.T @ error,
        "bias": error.sum(0),
    }


def highest(scores: np.ndarray, k: int) -> np.ndarray:
    """The ``k`` highest, the first of equal ones."""
    chosen = np.zeros(scores.size, bool)
    chosen[np.argsort(-scores.ravel(), kind="stable")[:k]] = True
    return chosen.reshape(scores.shape)


def followed(
    rule: Rule,
    weights: Arrays,
    mask: Arrays,
    *,
    changes: Any,
    reset: bool = False,
    skip: bool = False,
) -> list[tuple[Arrays, Arrays]]:
    """Masks and weights after each step of gradient descent with momentum.

    Args:
        rule: who stays.
        weights: where to start.
        mask: the first one.
        changes: the steps in which the rule is asked.
        reset: momenta become 0 where the mask changes.
        skip: no gradient step is taken then.
    """
    momenta = {name: np.zeros_like(w) for name, w in weights.items()}
    weights = {name: np.where(mask[name], w, 0) for name, w in weights.items()}
    history = []
    for step in range(STEPS):
        found, old = gradients(weights), mask
        mask = rule(step, weights, found, mask) if step in changes else mask
        for name, w in weights.items():
            if reset:
                momenta[name] = np.where(mask[name] == old[name], momenta[name], 0)
            if not (skip and step in changes):
                momenta[name] = DECAY * momenta[name] + np.where(mask[name], found[name], 0)
                w = w - RATE * momenta[name]  # noqa: PLW2901
            weights[name] = np.where(mask[name], w, 0)
        history.append((mask, dict(weights)))
    return history


def trained(tx: Any, weights: Arrays) -> list[tuple[Any, Any]]:
    """The same by the library, jitted once, the state donated."""
    params = jax.tree.map(jnp.asarray, weights)
    state = tx.init(params)

    def step(params: Any, state: Any) -> tuple[Any, Any]:
        updates, state = tx.update(jax.grad(loss_fn)(params), state, params)
        return optax.apply_updates(params, updates), state

    compiled = jax.jit(step, donate_argnums=(0, 1))
    history = []
    for _ in range(STEPS):
        params, state = compiled(params, state)
        history.append(jax.device_get((sf.mask_of(state), params)))
    assert compiled._cache_size() == 1
    return history


def check_same(ours: list[tuple[Any, Any]], by_hand: list[tuple[Arrays, Arrays]]) -> None:
    for step, ((mask, params), (own_mask, own)) in enumerate(zip(ours, by_hand, strict=True)):
        for name in KERNELS:
            np.testing.assert_array_equal(mask[name], own_mask[name], f"{name} in step {step}")
            np.testing.assert_array_equal(params[name][~mask[name]], 0)
        for name, own_weights in own.items():
            np.testing.assert_allclose(params[name], own_weights, rtol=1e-9, atol=1e-12)


def full() -> Arrays:
    """The mask that keeps everything."""
    return {name: np.ones(w.shape, bool) for name, w in made().items()}
