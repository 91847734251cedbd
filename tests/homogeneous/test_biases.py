"""Biases: taken or left out, in absolute value."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")


def test_without_biases_nothing_is_added_anywhere() -> None:
    params = {"w": jnp.ones((3, 3)), "b": jnp.full(3, 5.0)}

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        x = x @ params["w"]
        x = x.at[:, 0].add(params["b"][0])
        x = jnp.concatenate([x, params["b"].reshape(1, 3)], axis=1)
        x = jnp.where(jnp.arange(6) < 5, x, params["b"][0])
        return x - params["b"][0]

    inputs = jnp.ones((1, 3))
    np.testing.assert_allclose(sf.flow(apply_fn, params, inputs, biases=False).log2, np.log2(9))
    assert sf.flow(apply_fn, params, inputs).log2 > np.log2(9)


def norm_model() -> nnx.Module:
    model = nnx.Sequential(
        nnx.Conv(3, 8, (3, 3), rngs=nnx.Rngs(0)),
        nnx.BatchNorm(8, rngs=nnx.Rngs(1)),
        nnx.relu,
        nnx.Conv(8, 4, (3, 3), rngs=nnx.Rngs(2)),
        lambda x: x.mean((1, 2)),
        nnx.Linear(4, 2, rngs=nnx.Rngs(3)),
    )
    for path, leaf in nnx.iter_graph(model):
        if isinstance(leaf, nnx.Variable) and path[-1] in ("bias", "mean"):
            leaf[...] = jax.random.normal(jax.random.key(len(path)), leaf.shape)
    return model


def layer_sums(scores: Any) -> np.ndarray:
    return np.array([float(jnp.sum(leaf)) for leaf in jax.tree.leaves(scores) if leaf.ndim > 1])


def test_without_biases_conservation_is_exact() -> None:
    apply_fn, params = sf.from_nnx(norm_model())
    inputs, mask = jnp.ones((1, 8, 8, 3)), sf.full_mask(params)
    for biases in (False, True):
        flow_fn = partial(sf.flow, apply_fn, inputs=inputs, biases=biases)
        scores = jax.jit(sf.synflow(apply_fn, inputs, biases=biases))(params, mask, None, None)
        flow = jax.jit(flow_fn)(params)
        sums = layer_sums(scores) / float(flow.mantissa)
        assert all(bool(jnp.all(leaf >= 0)) for leaf in jax.tree.leaves(scores))
        if biases:
            assert sums.min() < 0.9
            assert sums.max() < 1
        else:
            np.testing.assert_allclose(sums, 1, rtol=1e-5)


def test_running_means_are_biases_in_absolute_value() -> None:
    model = norm_model()
    apply_fn, params = sf.from_nnx(model)
    flipped = nnx.clone(model)
    flipped.layers[1].mean[...] *= -1
    other_fn, _ = sf.from_nnx(flipped)
    inputs = jnp.ones((1, 8, 8, 3))
    flipped.layers[1].mean[...] *= 10
    larger_fn, _ = sf.from_nnx(flipped)
    flow, other, larger = jax.jit(
        lambda params: [sf.flow(fn, params, inputs).log2 for fn in (apply_fn, other_fn, larger_fn)]
    )(params)
    assert flow == other
    assert larger > flow
