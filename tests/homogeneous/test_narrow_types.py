"""Params and casts of 16 bits have the scores of float32."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from square_network import KEY, assert_same_scores

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")


# Narrow types.


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
@pytest.mark.parametrize("size", [1e-3, 1.0, 3e2])
def test_narrow_types_have_the_scores_of_float32(dtype: Any, size: float) -> None:
    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        for kernel in params:
            x = jax.nn.relu(x.astype(dtype) @ kernel)
        return x

    keys = jax.random.split(KEY, 8)
    params = [(size * jax.random.normal(key, (16, 16))).astype(dtype) for key in keys]
    inputs = jnp.ones((1, 16))
    mask = sf.full_mask(params)

    @jax.jit
    def scores_and_flow(params: Any) -> Any:
        scores = sf.synflow(apply_fn, inputs)(params, mask, None, None)
        return scores, sf.flow(apply_fn, params, inputs)

    found, found_flow = scores_and_flow(params)
    with jax.enable_x64(True):
        wide = [np.abs(np.asarray(leaf, np.float64)) for leaf in params]
        expected = np.ones((1, 16))
        for kernel in wide:
            expected = expected @ kernel
    rtol = 1e-5 if dtype == jnp.float16 else 0.05
    np.testing.assert_allclose(float(found_flow.log2), np.log2(expected.sum()), rtol=rtol)
    sums = [float(jnp.sum(leaf.astype(jnp.float32))) for leaf in found]
    np.testing.assert_allclose(sums, float(found_flow.mantissa), rtol=max(rtol, 1e-4))
    mask, history = sf.prune(sf.synflow(apply_fn, inputs), params, 4.0, rounds=2)
    assert history.kept[-1] == 512
    assert history.kept_by_layer[-1].min() > 0
    assert mask[0].shape == (16, 16)


def test_casts_to_float16_within_are_done_in_float32() -> None:
    def halved(p: Any, x: jax.Array) -> jax.Array:
        y = x.astype(jnp.float16) @ (300 * p["w"]).astype(jnp.float16)
        y = jnp.dot(y, p["w"].astype(jnp.float16), preferred_element_type=jnp.float16)
        return lax.scan(lambda c, w: (c @ w, None), y, jnp.stack([p["w"]] * 2).astype(jnp.float16))[
            0
        ]

    def linear(p: Any, x: jax.Array) -> jax.Array:
        return 300 * (x @ p["w"] @ p["w"] @ p["w"] @ p["w"])

    assert_same_scores(halved, linear)
