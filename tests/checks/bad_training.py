"""Bad calls of sparse training: masks that change, straight-through, and their states."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from bad_callers import ADAM, KEY, MASK, OTHER, PARAMS, Case, apply, several

import synflow_jax as sf

GRADIENTS = jax.tree.map(jnp.ones_like, PARAMS)


def gradual(score_fn: Any = None, inner: Any = ADAM, compression: Any = 2.0, **options: Any) -> Any:
    given = {"begin": 0, "end": 4, "every": 2, **options}
    return sf.prune_gradually(inner, score_fn or sf.magnitude(), compression, **given)


def rewire(mask: Any = MASK, inner: Any = ADAM, **options: Any) -> Any:
    return sf.rewire(inner, mask, **{"every": 1, "end": 4, **options})


def update(
    tx: Any, updates: Any = GRADIENTS, params: Any = PARAMS, state: Any = None, steps: int = 1
) -> None:
    state = tx.init(PARAMS) if state is None else state
    for _ in range(steps):
        _, state = tx.update(updates, state, params)


def init(tx: Any, params: Any = PARAMS) -> None:
    tx.init(params)


def shapes(*shape: int) -> Any:
    return {"kernel": jax.ShapeDtypeStruct(shape, jnp.float32)}


WRAPPERS = {"gradual": gradual, "rewire": rewire}

TRAINING: dict[str, Case] = {
    **{
        f"{name}: inner {case}": (partial(wrap, inner=inner), TypeError, ["inner", "optax.adam"])
        for name, wrap in WRAPPERS.items()
        for case, inner in {"string": "adam", "uncalled": optax.adam, "nothing": None}.items()
    },
    **{
        f"{name}: {case}": (partial(wrap, **options), error, words)
        for name, wrap in WRAPPERS.items()
        for case, options, error, words in (
            ("end first", {"begin": 5, "end": 4}, ValueError, ["begin=5", "end=4"]),
            ("negative", {"begin": -1}, ValueError, ["0 <= begin", "begin=-1"]),
            ("every", {"every": 0}, ValueError, ["every must be >= 1", "every=0"]),
            ("seldom", {"every": 5}, ValueError, ["every=5", "begin=0", "end=4", "nothing"]),
            ("half a step", {"begin": 0.5}, TypeError, ["begin", "whole number", "0.5"]),
            ("late", {"end": 2**31}, ValueError, ["end", "int32", "2,147,483,648"]),
            ("key", {"key": 3}, TypeError, ["key", "jax.random.key(0)"]),
        )
    },
    **{
        f"{name}: update {case}": (
            lambda wrap=wrap, given=given: update(wrap(), **given()),
            error,
            words,
        )
        for name, wrap in WRAPPERS.items()
        for case, given, error, words in (
            ("no params", lambda: {"params": None}, ValueError, ["params", "update(grads, "]),
            ("grads", lambda: {"updates": OTHER}, ValueError, ["updates", "dense/bias"]),
            (
                "shape of grads",
                lambda: {"updates": {"dense": {"bias": jnp.ones(2), "kernel": jnp.ones((3, 2))}}},
                ValueError,
                ["dense/kernel", "(3, 2)"],
            ),
            ("params", lambda: {"params": OTHER}, ValueError, ["params", "dense/bias"]),
            (
                "state",
                lambda: {"state": sf.keep_params_sparse(ADAM, MASK).init(PARAMS)},
                TypeError,
                ["state", "ChangingState", "SparseState", "init"],
            ),
        )
    },
    "gradual: score": (partial(gradual, sf.magnitude), TypeError, ["sf.magnitude()"]),
    "gradual: compression": (
        partial(gradual, compression=0.5),
        ValueError,
        ["compression", "0.5"],
    ),
    **several(gradual, "schedule", TypeError, ["schedule", "sf.cubic"], word="cubic", none=None),
    **several(gradual, "select", TypeError, ["select", "sf.global_top_k"], word="erk", none=None),
    **several(gradual, "prunable", TypeError, ["prunable", "path, leaf"], word="kernel", none=None),
    "gradual: rising": (
        lambda: init(gradual(schedule=lambda compression, rounds: [0.5, 0.6])),
        ValueError,
        ["schedule", "don't rise"],
    ),
    "gradual: nothing prunable": (
        lambda: init(gradual(prunable=lambda path, leaf: False)),
        ValueError,
        ["nothing is prunable"],
    ),
    "gradual: too many": (
        lambda: jax.eval_shape(gradual().init, shapes(2**17, 2**16)),
        ValueError,
        ["int32", "weights", "sf.local_top_k"],
    ),
    "gradual: needs a batch": (
        lambda: update(gradual(sf.snip(sf.cross_entropy(apply))), steps=3),
        ValueError,
        ["batch=None"],
    ),
    "gradual: needs a key": (lambda: update(gradual(sf.random())), ValueError, ["key=None"]),
    "saliency: no gradients": (
        lambda: sf.prune(sf.saliency(), PARAMS, 2.0, rounds=1),
        ValueError,
        ["saliency", "gradients", "batch=None"],
    ),
    "saliency: gradients": (
        lambda: sf.prune(sf.saliency(), PARAMS, 2.0, rounds=1, batch=OTHER),
        ValueError,
        ["gradients", "dense/bias"],
    ),
    **several(
        rewire, "fraction", ValueError, ["fraction", "0 and 1"], over=1.5, under=-0.1, nan=jnp.nan
    ),
    **several(rewire, "fraction", TypeError, ["fraction", "0.3"], word="0.3", none=None),
    "rewire: own fraction": (
        partial(rewire, fraction=lambda step: 2 * step),
        ValueError,
        ["fraction=2"],
    ),
    **several(rewire, "grow", ValueError, ["grow", '"gradient"'], word="momentum", none=None),
    "rewire: no key": (partial(rewire, grow="random"), ValueError, ["key=None"]),
    **several(rewire, "skip_step", TypeError, ["skip_step", "bool"], word="yes", none=None, one=1),
    "rewire: no mask": (lambda: init(rewire(None)), TypeError, ["mask=None"]),
    "rewire: mask of floats": (lambda: rewire(PARAMS), TypeError, ["dense/bias", "boolean"]),
    "rewire: scalar": (
        lambda: rewire({"dense": {"bias": False, "kernel": MASK["dense"]["kernel"]}}),
        ValueError,
        ["dense/bias", "scalar False"],
    ),
    "rewire: other mask": (lambda: init(rewire(), OTHER), ValueError, ["mask", "dense/bias"]),
    "rewire: traced": (
        lambda: jax.jit(lambda mask: rewire(mask).init(PARAMS))(MASK),
        TypeError,
        ["mask leaf", "traced", "sf.rewire outside"],
    ),
    "straight_through: mask": (
        lambda: sf.straight_through(MASK, PARAMS),
        TypeError,
        ["mask_fn", "params"],
    ),
    "straight_through: other mask": (
        lambda: sf.straight_through(lambda params: OTHER, PARAMS),
        ValueError,
        ["mask", "dense/bias"],
    ),
    "straight_through: floats": (
        lambda: sf.straight_through(lambda params: params, PARAMS),
        TypeError,
        ["boolean"],
    ),
    "mask_of": (lambda: sf.mask_of(ADAM.init(PARAMS)), ValueError, ["state", "got 0", "init"]),
    "mask_of: nothing": (lambda: sf.mask_of(None), ValueError, ["got 0 in None"]),
    "mask_of: a wrapper": (lambda: sf.mask_of(gradual()), ValueError, ["got 0", "init"]),
    "cubic": (lambda: sf.cubic(0.5, 3), ValueError, ["compression", "0.5"]),
    "cubic: rounds": (lambda: sf.cubic(2.0, 0), ValueError, ["rounds"]),
    "key of random growth": (
        partial(rewire, grow="random", key=jax.random.split(KEY)),
        TypeError,
        ["key", "jax.random.key(0)"],
    ),
}
