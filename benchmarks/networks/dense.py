"""Dense networks of any size, made where their params are to lie."""

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding

LAYERS = 4
Kernels = list[jax.Array]


def apply_fn(kernels: Kernels, x: jax.Array) -> jax.Array:
    """Square layers with ReLU between them."""
    *hidden, last = kernels
    for kernel in hidden:
        x = jax.nn.relu(x @ kernel)
    return x @ last


def kernels(width: int, sharding: NamedSharding | None = None) -> Kernels:
    """He normal, ``LAYERS * width ** 2`` weights, the same however they are sharded."""

    def make() -> Kernels:
        keys = jax.random.split(jax.random.key(0), LAYERS)
        init = jax.nn.initializers.he_normal()
        return [init(key, (width, width), jnp.float32) for key in keys]

    return jax.jit(make, out_shardings=sharding)()


def inputs(width: int) -> jax.Array:
    """An input of ones."""
    return jnp.ones((1, width), jnp.float32)
