"""What bad calls are made of: good arguments, and functions that take one bad one."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import synflow_jax as sf

KEY = jax.random.key(0)
PARAMS = {"dense": {"bias": jnp.zeros(2), "kernel": jnp.array([[0.1, -0.4], [0.3, 0.2]])}}
MASK = sf.full_mask(PARAMS)
OTHER = {"dense": {"kernel": jnp.ones((2, 2))}}
TWICE = {"a/b": jnp.ones((2, 2)), "a": {"b": jnp.ones((2, 2))}}
STACKED = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), PARAMS)
X, LABELS = jnp.ones((3, 2)), jnp.array([0, 1, 1])
LINEAR = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
ADAM = optax.adam(1e-3)
SCORES = [jnp.array([3.0, -1.0, 2.0])]
Case = tuple[Callable[[], Any], type[Exception], list[str]]


def apply(params: Any, x: Any) -> jax.Array:
    return x @ params["dense"]["kernel"]


def deleted(tree: Any) -> Any:
    tree = jax.tree.map(jnp.copy, tree)
    jax.tree.leaves(tree)[-1].delete()
    return tree


def prune(score_fn: Any = None, params: Any = PARAMS, compression: Any = 2.0, **options: Any):
    return sf.prune(score_fn or sf.magnitude(), params, compression, **{"rounds": 1, **options})


def sweep(compressions: Any = (2.0, 3.0), params: Any = PARAMS, **options: Any) -> Any:
    return sf.sweep(sf.magnitude(), params, compressions, **{"rounds": 1, **options})


def tickets(train_fn: Any = lambda params, mask, key: params, params: Any = PARAMS, **options: Any):
    return sf.tickets(train_fn, params, 2.0, **{"levels": 1, **options})


def counts(mask: Any = MASK, compression: Any = 2.0, rounds: Any = 1, **options: Any) -> Any:
    options = {"schedule": sf.exponential, "select": sf.global_top_k, **options}
    return sf.round_counts(mask, compression, rounds, **options)


def update(grads: Any = PARAMS, state: Any = None, params: Any = PARAMS, mask: Any = MASK) -> Any:
    tx = sf.keep_params_sparse(ADAM, mask)
    return tx.update(grads, tx.init(PARAMS) if state is None else state, params)


def create(name: Any = "default/fc", **options: Any) -> Any:
    given = {"num_classes": 2, "input_shape": (8, 8, 1), "rngs": nnx.Rngs(0), **options}
    return sf.models.create(name, **given)


def loss(batch: Any, apply_fn: Any = apply) -> Any:
    return sf.cross_entropy(apply_fn)(PARAMS, batch)


def snip(loss_fn: Any) -> Any:
    return sf.snip(loss_fn)(PARAMS, MASK, (X, LABELS), None)


def several(
    call: Callable[..., Any], name: str, error: type[Exception], words: list[str], **values: Any
) -> dict[str, Case]:
    """A case for each value of one argument."""
    return {
        f"{getattr(call, '__name__', 'call')}: {name} {case}": (
            partial(call, **{name: value}),
            error,
            [name, *words],
        )
        for case, value in values.items()
    }
