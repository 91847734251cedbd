"""The flow's logarithm as a penalty: its gradient is finite at any depth, and keeps flow."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")
ONES = jnp.ones((1, 16))


def deep(params: Any, x: jax.Array) -> jax.Array:
    for kernel in params:
        x = jax.nn.relu(x @ kernel)
    return x


def kernels(depth: int, scale: float, dtype: Any = jnp.float32) -> list[jax.Array]:
    return list(scale * jax.random.normal(jax.random.key(0), (depth, 16, 16), dtype))


def log2(params: Any) -> jax.Array:
    return sf.flow(deep, params, ONES).log2


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_gradient_is_finite_and_exact_at_any_depth(scale: float) -> None:
    """R has degree 1 in each layer, so its weights times their gradients add up to 1 / ln 2."""
    params = kernels(200, scale)
    value, gradient = jax.jit(jax.value_and_grad(log2))(params)
    assert bool(jnp.isfinite(value))
    assert abs(value) > (1000 if scale != 1 else 128)
    for w, g in zip(params, gradient, strict=True):
        np.testing.assert_allclose(
            np.sum(np.float64(w) * np.float64(g)), 1 / math.log(2), rtol=1e-4
        )


def test_gradient_is_that_of_the_scores() -> None:
    params = kernels(3, 1.0)
    scores = sf.synflow(deep, ONES)(params, sf.full_mask(params), None, None)
    for score, w, g in zip(scores, params, jax.grad(log2)(params), strict=True):
        np.testing.assert_allclose(score / jnp.sum(score), w * g * math.log(2), rtol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision(dtype: Any) -> None:
    gradient = jax.grad(log2)(kernels(40, 1.0, dtype))
    assert all(g.dtype == dtype and bool(jnp.all(jnp.isfinite(g))) for g in gradient)


def flow_after_pruning(strength: float) -> float:
    """Of layers one of which has so small weights that magnitude takes them all."""
    tx = sf.prune_gradually(optax.sgd(0.05), sf.magnitude(), 8.0, begin=5, end=45, every=4)
    first, second, third = kernels(3, 0.3)
    params = [first, second / 100, third]
    state = tx.init(params)

    @jax.jit
    def step(params: Any, state: Any) -> tuple[Any, Any]:
        gradient = jax.grad(lambda p: -strength * log2(p))(params)
        updates, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(50):
        params, state = step(params, state)
    assert sum(int(jnp.sum(w != 0)) for w in params) == 3 * 256 // 8
    return float(log2(params))


def test_it_keeps_flow_while_magnitudes_prune() -> None:
    assert flow_after_pruning(0.0) == -math.inf
    assert math.isfinite(flow_after_pruning(0.1))
