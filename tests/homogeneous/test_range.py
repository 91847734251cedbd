"""Flows far beyond a type's range, and transformations of them."""

import subprocess
import sys
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from devices import environment

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")
KEY = jax.random.key(0)


def deep(params: Any, x: jax.Array) -> jax.Array:
    for kernel in params:
        x = jax.nn.relu(x @ kernel)
    return x


def deep_params(depth: int = 60, size: float = 100) -> list[jax.Array]:
    return list(size * jax.random.normal(KEY, (depth, 16, 16)))


def test_far_beyond_float32() -> None:
    params, inputs = deep_params(size=1e10), jnp.ones((1, 16))
    mask = sf.full_mask(params)

    @jax.jit
    def scores_and_flow(params: Any) -> Any:
        return sf.synflow(deep, inputs)(params, mask, None, None), sf.flow(deep, params, inputs)

    scores, flow = scores_and_flow(params)
    assert float(flow.log2) > 2000
    for leaf in scores:
        np.testing.assert_allclose(jnp.sum(leaf), flow.mantissa, rtol=1e-4)


def test_zero_biases_dont_hide_a_flow_far_below_float32() -> None:
    kernels = 3e-6 * jax.random.normal(KEY, (20, 16, 16))
    params = [{"w": kernel, "b": jnp.zeros(16)} for kernel in kernels]

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        for layer in params:
            x = jnp.concatenate(
                [jax.nn.relu(x @ layer["w"] + layer["b"].reshape(1, 16)), jnp.zeros((1, 1))], 1
            )
            x = x[:, :16]
        return x

    inputs = jnp.ones((1, 16))

    @jax.jit
    def flows(params: Any) -> list[jax.Array]:
        return [sf.flow(apply_fn, params, inputs, biases=b).log2 for b in (True, False)]

    logs = [float(log) for log in flows(params)]
    assert -1000 < logs[0] < -150
    assert logs[0] == logs[1]
    _, history = sf.prune(sf.synflow(apply_fn, inputs), params, 10.0, rounds=10)
    assert history.kept_by_layer[-1].min() > 0


def test_growth_is_bounded_between_products() -> None:
    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        for _ in range(30):
            x = x + x
        x = x / jnp.array([[1.0, 1e-30]])
        for _ in range(90):
            x = x + x
        return (x @ params) * 1e-30

    flow = jax.jit(lambda p: sf.flow(apply_fn, p, jnp.ones((1, 2))))(jnp.full((2, 2), 1e20))
    np.testing.assert_allclose(flow.log2, 120 + np.log2(2e50) - 30 * np.log2(10), rtol=1e-3)


def test_all_zero_flow_has_zero_scores() -> None:
    params = deep_params(5)
    params[2] = jnp.zeros_like(params[2])
    scores = sf.synflow(deep, jnp.ones((1, 16)))(params, [jnp.array(True)] * 5, None, None)
    chex.assert_trees_all_equal(scores, [jnp.zeros((16, 16))] * 5)
    assert sf.flow(deep, params, jnp.ones((1, 16))).log2 == -jnp.inf


def test_under_vmap_and_grad() -> None:
    params, inputs = deep_params(), jnp.ones((1, 16))
    stacked = [jnp.stack([kernel, 1e-3 * kernel]) for kernel in params]

    def log(params: Any) -> jax.Array:
        return sf.flow(deep, params, inputs).log2

    logs, gradient = jax.jit(lambda: (jax.vmap(log)(stacked), jax.grad(log)(params)))()
    np.testing.assert_allclose(logs[0] - logs[1], 60 * np.log2(1e3), rtol=1e-5)
    # The gradient of log R: by the theorem w dlogR/dw of a layer adds up to 1.
    for w, g in zip(params, gradient, strict=True):
        np.testing.assert_allclose(jnp.sum(w * g) * np.log(2), 1, rtol=1e-4)


DEVICES = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import NamedSharding, PartitionSpec as P
import synflow_jax as sf

mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
keys = jax.random.split(jax.random.key(0), 4)
params = [100 * jax.random.normal(key, (16, 16)) for key in keys]
# Parts of very different size, each with an exponent of its own.
params.append(jnp.exp2(jnp.arange(16.0) * 8).reshape(16, 1) * jnp.ones((1, 16)))
inputs, mask = jnp.ones((1, 16)), [jnp.array(True)] * 5

def apply_fn(params, x):
    for kernel in params:
        x = jax.nn.relu(x @ kernel)
    return x

def hidden_sharded(params, x):
    for kernel in params[:-1]:
        x = jax.nn.relu(x @ kernel)
    part = jax.lax.axis_index("data") * 2
    x = jax.lax.dynamic_slice(x, (0, part), (1, 2))
    return jax.lax.psum(x @ params[-1], "data")

expected = sf.flow(apply_fn, params, inputs)
specs = [P()] * 4 + [P("data", None)]
flow = jax.shard_map(
    lambda params: sf.flow(hidden_sharded, params, inputs), mesh=mesh, in_specs=(specs,),
    out_specs=P(),
)
found = jax.jit(flow)(params)
np.testing.assert_allclose(found.log2, expected.log2, rtol=1e-6)

plain = jax.jit(sf.synflow(apply_fn, inputs))(params, mask, None, None)
sharding = NamedSharding(mesh, P(None, "data"))
sharded = jax.jit(sf.synflow(apply_fn, inputs), in_shardings=(sharding, None, None, None))
for a, b in zip(sharded(params, mask, None, None), plain):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6 * float(b.max()))
assert len(jax.devices()) == 8
"""


def test_under_shard_map_and_sharded_jit_on_eight_devices() -> None:
    subprocess.run([sys.executable, "-c", DEVICES], check=True, env=environment(8))
