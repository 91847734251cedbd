"""Compaction of sharded params; a program for a process with 8 devices. Prints ``same``."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import synflow_jax as sf


def apply_fn(params: Any, x: jax.Array) -> jax.Array:
    return jax.nn.relu(jax.nn.relu(x @ params["a"]) @ params["b"]) @ params["c"]


def main() -> None:
    mesh = Mesh(np.array(jax.devices()).reshape(4, 2), ("data", "model"))
    keys = jax.random.split(jax.random.key(0), 3)
    shapes = {"a": (8, 16), "b": (16, 12), "c": (12, 4)}
    params = {
        name: jax.random.normal(key, shape)
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }
    mask = sf.full_mask(params)
    mask["b"] = mask["b"].at[:8].set(False).at[:, 0].set(False)  # 8 and 11 units are left
    whole = sf.compact(apply_fn, params, mask, jnp.ones((1, 8)))
    sharding = NamedSharding(mesh, P("data", "model"))
    placed = jax.device_put(params, sharding)
    small = sf.compact(apply_fn, placed, jax.device_put(mask, sharding), jnp.ones((1, 8)))
    assert small.params["a"].shape == (8, 8)
    assert small.params["a"].sharding == sharding
    # 11 columns don't divide by 2.
    assert small.params["b"].shape == (8, 11)
    assert small.params["b"].sharding == NamedSharding(mesh, P())
    assert small.expand(small.params)["b"].shape == (16, 12)
    jax.tree.map(np.testing.assert_array_equal, small.params, whole.params)
    x = jax.random.normal(jax.random.key(1), (8, 8))
    expected = jax.jit(apply_fn)(sf.apply_mask(mask, params), x)
    found = jax.jit(small.apply_fn)(small.params, x)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    print("same")


if __name__ == "__main__":
    main()
