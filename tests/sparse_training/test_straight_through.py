"""The straight-through estimator: masked values, gradients of all weights."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from by_hand import DECAY, KERNELS, RATE, STEPS, Arrays, gradients, highest, loss_fn, made

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")
SIZE = sum(made()[name].size for name in KERNELS)


def top(params: Any, compression: float = 4.0) -> Any:
    mask = sf.full_mask(params)
    with jax.ensure_compile_time_eval():
        whole = jax.tree.map(lambda leaf: np.ones(leaf.shape, bool), mask)
        counts = sf.round_counts(whole, compression, 1, sf.exponential, sf.global_top_k)
    return sf.prune_rounds(sf.magnitude(), params, mask, counts)[0]


@pytest.mark.usefixtures("wide")
def test_top_magnitudes_against_numpy() -> None:
    """50 steps of gradient descent with momentum, weight for weight."""
    tx, params = optax.sgd(RATE, DECAY), jax.tree.map(jnp.asarray, made())
    state = tx.init(params)

    @jax.jit
    def step(params: Any, state: Any) -> tuple[Any, Any]:
        gradient = jax.grad(lambda p: loss_fn(sf.straight_through(top, p)))(params)
        updates, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    weights = made()
    momenta = {name: np.zeros_like(w) for name, w in weights.items()}
    for _ in range(STEPS):
        params, state = step(params, state)
        found = gradients(masked(weights))
        momenta = {name: DECAY * momenta[name] + found[name] for name in weights}
        weights = {name: w - RATE * momenta[name] for name, w in weights.items()}
        for name, own in weights.items():
            np.testing.assert_allclose(params[name], own, rtol=1e-9, atol=1e-12)


def masked(weights: Arrays) -> Arrays:
    flat = np.concatenate([weights[name].ravel() for name in KERNELS])
    chosen = highest(np.abs(flat), SIZE - int(np.floor(0.75 * SIZE)))
    parts = np.split(np.where(chosen, flat, 0), np.cumsum([weights[n].size for n in KERNELS])[:-1])
    shaped = {n: part.reshape(weights[n].shape) for n, part in zip(KERNELS, parts, strict=True)}
    return weights | shaped


def test_zeros_are_exact_and_gradients_dense() -> None:
    params = {"w": jnp.array([1.0, jnp.inf, -3.0])}
    mask = {"w": jnp.array([True, False, False])}

    def loss(params: Any) -> jax.Array:
        return jnp.sum(
            sf.straight_through(lambda p: mask, params)["w"] * jnp.array([2.0, 3.0, 4.0])
        )

    value, gradient = jax.jit(jax.value_and_grad(loss))(params)
    assert value == 2
    np.testing.assert_array_equal(gradient["w"], [2.0, 3.0, 4.0])
    tangent = jax.jvp(loss, (params,), (jax.tree.map(jnp.ones_like, params),))[1]
    assert tangent == 9
    np.testing.assert_array_equal(sf.straight_through(lambda p: mask, params)["w"], [1, 0, 0])
