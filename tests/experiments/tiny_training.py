"""A tiny network, examples and setup for tests of training; as a program, a run to be killed."""

import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import synflow_jax as sf
from experiments.training import Recipe, Setup, TrainState, fit, init_state, sgd, split_network

RECIPE = Recipe(24, 0.05, drops=(8, 16), drop_factor=0.5, weight_decay=1e-3, batch_size=16)


class Examples(NamedTuple):
    images: jax.Array
    labels: jax.Array


class TinyNetwork(nnx.Module):
    """A dense layer with BatchNorm and dropout, and one for 6 classes."""

    def __init__(self, rngs: nnx.Rngs):
        self.first = nnx.Linear(16, 32, rngs=rngs)
        self.norm = nnx.BatchNorm(32, momentum=0.9, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.last = nnx.Linear(32, 6, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.norm(self.first(x.reshape(len(x), -1))))
        return self.last(self.dropout(x))


def examples(count: int, seed: int) -> Examples:
    """Bytes as images, and the class that a fixed linear map gives them."""
    images = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 1), np.uint8)
    truth = np.random.default_rng(0).normal(size=(16, 6))
    labels = np.argmax((images.reshape(count, 16) / 255.0 - 0.5) @ truth, axis=1)
    return Examples(jnp.asarray(images), jnp.asarray(labels, jnp.int32))


def noisy(images: jax.Array, key: jax.Array) -> jax.Array:
    return plain(images) + 0.05 * jax.random.uniform(key, images.shape)


def plain(images: jax.Array) -> jax.Array:
    return images.astype(jnp.float32) / 255 - 0.5


@cache
def tiny(
    *, recipe: Recipe = RECIPE, train_examples: int = 200, compute_dtype=None
) -> tuple[nnx.Module, Setup]:
    """Cached, since each new setup is compiled anew."""
    model = TinyNetwork(nnx.Rngs(0))
    optimizer = sgd(recipe, train_examples // recipe.batch_size)
    graph, _ = split_network(model)
    return model, Setup(graph, optimizer, noisy, plain, recipe.batch_size, compute_dtype)


def tiny_state(model: nnx.Module, setup: Setup, *, seed: int = 0, compression=4.0) -> TrainState:
    _, network = split_network(model)
    key = jax.random.key(seed)
    mask, _ = sf.prune(sf.random(), network.params, compression, key=key, rounds=1)
    return init_state(setup, network, mask, key)


def assert_same(first: TrainState, second: TrainState) -> None:
    def bits(leaf: jax.Array) -> jax.Array:
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return jax.random.key_data(leaf) if is_key else leaf

    jax.tree.map(lambda x, y: np.testing.assert_array_equal(bits(x), bits(y)), first, second)


def main(folder: Path, epochs: int) -> None:
    model, setup = tiny()
    fit(
        setup,
        tiny_state(model, setup),
        examples(200, 1),
        examples(50, 2),
        epochs=epochs,
        folder=folder,
        checkpoint_every=2,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
