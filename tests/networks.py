"""Small networks and data for the tests, in plain JAX."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import synflow_jax as sf
from synflow_jax.types import ScoreFn

SGD = optax.sgd(0.1, momentum=0.9)
SIZES = (6, 5, 4, 3)


def dense_params(
    seed: int = 0,
    *,
    biases: bool = False,
    dtype: Any = jnp.float32,
    sizes: tuple[int, ...] = SIZES,
) -> Any:
    keys = jax.random.split(jax.random.key(seed), len(sizes) - 1)
    layers = {}
    for i, key in enumerate(keys):
        kernel = jax.random.normal(key, sizes[i : i + 2], dtype)
        layers[f"dense{i}"] = {"kernel": kernel}
        if biases:
            layers[f"dense{i}"]["bias"] = jnp.full(sizes[i + 1], 0.1, dtype)
    return layers


def dense_apply(params: Any, x: jax.Array) -> jax.Array:
    for i, layer in enumerate(params.values()):
        x = x if i == 0 else jax.nn.relu(x)
        x = x @ layer["kernel"]
        if "bias" in layer:
            x = x + layer["bias"].reshape(1, -1)
    return x


def dense_batch(
    dtype: Any = jnp.float32, *, sizes: tuple[int, ...] = SIZES
) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(1)
    return jnp.asarray(rng.normal(size=(8, sizes[0])), dtype), jnp.arange(8) % sizes[-1]


def in_minibatches(score_fn: ScoreFn) -> ScoreFn:
    """Of a batch of examples, an example a minibatch."""

    def of_examples(params: Any, mask: Any, batch: Any, key: Any) -> Any:
        return score_fn(params, mask, jax.tree.map(lambda x: x[:, None], batch), key)

    return of_examples


def all_score_fns(apply_fn: Any = dense_apply, inputs: Any = None) -> dict[str, ScoreFn]:
    inputs = jnp.ones((1, SIZES[0])) if inputs is None else inputs
    loss_fn = sf.cross_entropy(apply_fn)

    def of_one(params: Any, example: Any) -> jax.Array:
        return loss_fn(params, jax.tree.map(lambda x: x[None], example))

    return {
        "synflow": sf.synflow(apply_fn, inputs),
        "synflow_squared": sf.synflow(apply_fn, inputs, power=2),
        "lamp": sf.lamp(),
        "fisher": sf.fisher(loss_fn),
        "prospr": sf.prospr(of_one, 0.1, 7),  # of a batch of 8, an example a step
        "edge_popup": in_minibatches(sf.edge_popup(loss_fn, 2.0, optimizer=SGD, steps=9)),
        "gem_miner": in_minibatches(sf.gem_miner(loss_fn, 2.0, optimizer=SGD, steps=10, every=5)),
        "path_exclusion": sf.path_exclusion(apply_fn),
        "ntk_sap": sf.ntk_sap(apply_fn, inputs, repeats=2),
        "snip": sf.snip(loss_fn),
        "grasp": sf.grasp(sf.cross_entropy(apply_fn, temperature=200.0)),
        "magnitude": sf.magnitude(),
        "random": sf.random(),
    }


METHODS = sorted(all_score_fns())
