"""Calls under transformations that need values."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from bad_callers import (
    KEY,
    MASK,
    PARAMS,
    STACKED,
    Case,
    X,
    counts,
    prune,
    sweep,
)

import synflow_jax as sf

OUTSIDE = ["traced", "sf.round_counts", "outside", "sf.prune_rounds"]


def traced(name: str) -> Callable[[Any], Any]:
    return lambda value: prune(**{name: value})


TRACED: dict[str, Case] = {
    "jit: params": (
        lambda: jax.jit(traced("params"))(PARAMS),
        TypeError,
        ["params leaf", *OUTSIDE],
    ),
    "vmap: params": (
        lambda: jax.vmap(traced("params"))(STACKED),
        TypeError,
        ["params leaf", *OUTSIDE],
    ),
    "grad: params": (
        lambda: jax.grad(traced("params"))(PARAMS),
        TypeError,
        ["params leaf", *OUTSIDE],
    ),
    "jit: compression": (
        lambda: jax.jit(traced("compression"))(2.0),
        TypeError,
        ["compression is traced", *OUTSIDE],
    ),
    "jit: mask": (lambda: jax.jit(traced("mask"))(MASK), TypeError, ["mask leaf", *OUTSIDE]),
    "jit: batch": (lambda: jax.jit(traced("batch"))(X), TypeError, ["batch is traced", *OUTSIDE]),
    "jit: key": (lambda: jax.jit(traced("key"))(KEY), TypeError, ["key is traced", *OUTSIDE]),
    "jit: nothing": (lambda: jax.jit(prune)(), TypeError, ["mask leaf", *OUTSIDE]),
    "vmap: closure": (
        lambda: jax.vmap(lambda x: prune(lambda p, *_: jax.tree.map(lambda w: w * x, p)))(X[0]),
        TypeError,
        ["what score_fn returned is traced", *OUTSIDE],
    ),
    "jit: sweep": (
        lambda: jax.jit(partial(sweep, [2.0]))(PARAMS),
        TypeError,
        ["params leaf", *OUTSIDE],
    ),
    "jit: sweep's compressions": (
        lambda: jax.jit(sweep)(jnp.array([2.0])),
        TypeError,
        ["compressions is traced", *OUTSIDE],
    ),
    "jit: sweep's keys": (
        lambda: jax.jit(lambda keys: sweep(keys=keys))(jax.random.split(KEY, 2)),
        TypeError,
        ["keys is traced", *OUTSIDE],
    ),
    "jit: round_counts": (
        lambda: jax.jit(lambda c: counts(compression=c))(2.0),
        TypeError,
        ["compression is traced", *OUTSIDE],
    ),
    "jit: density": (
        lambda: jax.jit(lambda mask: sf.density(mask, PARAMS))(MASK),
        TypeError,
        ["mask leaf", "traced", "outside"],
    ),
}
