"""Flax models become apply_fn and params, in inference mode and untouched."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import synflow_jax as sf

X = jax.random.normal(jax.random.key(1), (4, 8, 8, 3))


class NnxModel(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(3, 8, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.dense = nnx.Linear(8, 5, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.dropout(nnx.relu(self.norm(self.conv(x))))
        return self.dense(x.mean((1, 2)))


class LinenModel(linen.Module):
    @linen.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        x = linen.Conv(8, (3, 3))(x)
        x = linen.BatchNorm(use_running_average=not train)(x)
        x = linen.Dropout(0.5, deterministic=not train)(linen.relu(x))
        return linen.Dense(5)(x.mean((1, 2)))


pytestmark = pytest.mark.usefixtures("others_promote")


def test_nnx_inference_mode_and_model_unchanged() -> None:
    model = NnxModel(nnx.Rngs(0))
    model(X)
    before = jax.tree.map(jnp.copy, nnx.state(model))
    apply_fn, params = sf.from_nnx(model)
    outputs = apply_fn(params, X)
    np.testing.assert_array_equal(outputs, apply_fn(params, X))
    mask, _ = sf.prune(sf.synflow(apply_fn, jnp.ones((1, 8, 8, 3))), params, 10.0)
    chex.assert_trees_all_equal(nnx.state(model), before)
    assert not model.norm.use_running_average
    assert not model.dropout.deterministic
    model.eval()
    np.testing.assert_allclose(outputs, model(X), rtol=1e-6)
    assert sf.layer_table(mask, params).rows[0].name == "conv/kernel"


def test_nnx_params_are_a_copy_of_what_they_are_now() -> None:
    model = NnxModel(nnx.Rngs(0))
    apply_fn, params = sf.from_nnx(model)
    before, outputs = jax.tree.map(jnp.copy, params), apply_fn(params, X)
    model.train()
    model(X)
    model.dense.kernel[...] = jnp.zeros((8, 5))
    chex.assert_trees_all_equal(params, before)
    np.testing.assert_array_equal(apply_fn(params, X), outputs)


def test_linen_inference_mode() -> None:
    module = LinenModel()
    variables = module.init(jax.random.key(0), X, train=False)
    apply_fn, params = sf.from_linen(module, variables, train=False)
    np.testing.assert_array_equal(apply_fn(params, X), module.apply(variables, X, train=False))
    mask, history = sf.prune(sf.synflow(apply_fn, jnp.ones((1, 8, 8, 3))), params, 10.0)
    assert history.kept[-1] == 26
    assert mask["Conv_0"]["kernel"].shape == (3, 3, 3, 8)


def test_the_two_flax_interfaces_agree() -> None:
    model, module = NnxModel(nnx.Rngs(0)), LinenModel()
    nnx_fn, nnx_params = sf.from_nnx(model)
    variables = module.init(jax.random.key(0), X, train=False)
    params: Any = {
        "Conv_0": nnx.to_pure_dict(nnx_params["conv"]),
        "BatchNorm_0": nnx.to_pure_dict(nnx_params["norm"]),
        "Dense_0": nnx.to_pure_dict(nnx_params["dense"]),
    }
    linen_fn, _ = sf.from_linen(module, variables, train=False)
    np.testing.assert_allclose(linen_fn(params, X), nnx_fn(nnx_params, X), rtol=1e-5, atol=1e-6)
    ones = jnp.ones((1, 8, 8, 3))
    nnx_mask, _ = sf.prune(sf.synflow(nnx_fn, ones), nnx_params, 10.0, rounds=1)
    linen_mask, _ = sf.prune(sf.synflow(linen_fn, ones), params, 10.0, rounds=1)
    np.testing.assert_array_equal(
        nnx.to_pure_dict(nnx_mask)["conv"]["kernel"], linen_mask["Conv_0"]["kernel"]
    )


class Counting(linen.Module):
    """Counts its calls, keeps what it saw, and has running statistics."""

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        calls = self.variable("counter", "calls", lambda: jnp.zeros((), jnp.int32))
        calls.value += 1
        x = linen.Dense(4)(x)
        self.sow("intermediates", "hidden", x)
        return linen.BatchNorm(use_running_average=True)(x)


def test_linen_state_that_is_written_is_left_out() -> None:
    module, x = Counting(), jnp.ones((1, 3))
    variables = module.init(jax.random.key(0), x)
    apply_fn, params = sf.from_linen(module, variables)
    expected, _ = module.apply(variables, x, mutable=["counter"])
    np.testing.assert_array_equal(apply_fn(params, x), expected)
    wide = 3 * 4 * 2.0 + 0  # R of weights 2 on ones, without the counter
    twos = jax.tree.map(lambda leaf: jnp.full_like(leaf, 2.0 * (leaf.ndim == 2)), params)
    twos["BatchNorm_0"]["scale"] = jnp.ones(4)
    np.testing.assert_allclose(2 ** sf.flow(apply_fn, twos, x).log2, wide, rtol=1e-4)


def test_linen_variables_are_those_of_now() -> None:
    module, x = Counting(), jnp.ones((1, 3))
    variables = module.init(jax.random.key(0), x)
    variables["batch_stats"]["BatchNorm_0"]["var"] = var = np.ones(4, np.float32)
    apply_fn, params = sf.from_linen(module, variables)
    before = apply_fn(params, x)
    var[:] = 100.0
    variables["batch_stats"]["BatchNorm_0"]["mean"] = jnp.full(4, 100.0)
    np.testing.assert_array_equal(apply_fn(params, x), before)


def test_nnx_takes_options_for_the_call() -> None:
    class Optional(nnx.Module):
        def __init__(self) -> None:
            self.norm = nnx.BatchNorm(3, rngs=nnx.Rngs(0))

        def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
            return 2 * self.norm(x, use_running_average=not train)

    apply_fn, params = sf.from_nnx(Optional(), train=False)
    np.testing.assert_allclose(apply_fn(params, jnp.ones((1, 3))), 2.0, rtol=1e-4)


def test_refused() -> None:
    with pytest.raises(TypeError, match=r"flax\.nnx\.Module, got Dense"):
        sf.from_nnx(linen.Dense(3))  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"flax\.linen\.Module, got Linear"):
        sf.from_linen(nnx.Linear(2, 2, rngs=nnx.Rngs(0)), {})  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="'params' collection"):
        sf.from_linen(linen.Dense(3), {"batch_stats": {}})
