"""Scores by plain differentiation, beside which the linear network's are held."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import synflow_jax as sf


def plain_scores(apply_fn: Any, params: Any, inputs: Any) -> Any:
    """|w| dR/d|w| of a network of ReLUs at most, by plain differentiation."""
    magnitudes = jax.tree.map(jnp.abs, params)

    def flow(params: Any) -> jax.Array:
        return jax.tree.reduce(jnp.add, jax.tree.map(jnp.sum, apply_fn(params, inputs)))

    return jax.tree.map(jnp.multiply, magnitudes, jax.grad(flow)(magnitudes))


def exact_scores(apply_fn: Any, params: Any, inputs: Any) -> Any:
    """Plain scores in float64."""
    with jax.enable_x64(True):
        given = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), (params, inputs))
        found = jax.jit(lambda params, inputs: plain_scores(apply_fn, params, inputs))(*given)
        return jax.device_get(found)


def scores_and_power(apply_fn: Any, params: Any, inputs: Any, **options: Any) -> Any:
    """SynFlow's scores and the power of two that they are divided by."""
    mask = jax.tree.map(lambda _: jnp.array(True), params)
    scores = sf.synflow(apply_fn, inputs, **options)(params, mask, None, None)
    return scores, sf.flow(apply_fn, params, inputs, **options).exponent


def without_power(scores: Any, power: Any) -> Any:
    """Scores times their power of two, in float64."""
    return jax.tree.map(lambda s: np.ldexp(np.asarray(s, np.float64), int(power)), scores)


def scaled_scores(apply_fn: Any, params: Any, inputs: Any, **options: Any) -> Any:
    """SynFlow's scores without the common power of two, in float64."""
    found = jax.jit(lambda params: scores_and_power(apply_fn, params, inputs, **options))(params)
    return without_power(*found)


def assert_scores_close(ours: Any, expected: Any, tolerance: float, *, floor: float = 0.0) -> None:
    """Within ``tolerance`` times each leaf's largest score, or within ``floor`` if that is more."""
    leaves = list(zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True))
    assert leaves
    for a, b in leaves:
        scale = np.abs(b).max()
        assert np.all(np.isfinite(a))
        np.testing.assert_allclose(a, b, rtol=0, atol=max(tolerance * scale, floor))
