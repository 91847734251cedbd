"""Bad optimizer states and options of models."""

from functools import partial

import jax.numpy as jnp
import optax
from bad_callers import ADAM, KEY, MASK, OTHER, PARAMS, Case, create, several, update

import synflow_jax as sf

OTHERS: dict[str, Case] = {
    **{
        f"keep_params_sparse: {case}": (
            partial(sf.keep_params_sparse, inner, mask),
            TypeError,
            ["inner", "optax.adam(1e-3)"],
        )
        for case, inner, mask in (
            ("string", "adam", MASK),
            ("swapped", MASK, ADAM),
            ("uncalled", optax.adam, MASK),
            ("class", optax.GradientTransformation, MASK),
            ("nothing", None, MASK),
        )
    },
    "init: mask": (
        lambda: sf.keep_params_sparse(ADAM, OTHER).init(PARAMS),
        ValueError,
        ["mask", "no leaf 'dense/bias'"],
    ),
    "init: no mask": (
        lambda: sf.keep_params_sparse(ADAM, None).init(PARAMS),
        TypeError,
        ["mask=None"],
    ),
    "update: no params": (lambda: update(params=None), ValueError, ["params", "update(grads, "]),
    "update: grads": (lambda: update(OTHER), ValueError, ["updates", "dense/bias"]),
    "update: params": (lambda: update(params=OTHER), ValueError, ["params", "dense/bias"]),
    "update: no grads": (lambda: update(None), ValueError, ["updates", "dense/bias"]),
    "update: a number": (lambda: update(3), ValueError, ["updates", "structure", "got 3"]),
    "update: swapped": (
        lambda: update(PARAMS, PARAMS, PARAMS),
        TypeError,
        ["state", "SparseState", "init"],
    ),
    "update: shape of grads": (
        lambda: update({"dense": {"bias": jnp.ones(2), "kernel": jnp.ones((3, 2))}}),
        ValueError,
        ["dense/kernel", "(3, 2)"],
    ),
    **several(create, "rngs", TypeError, ["nnx.Rngs(0)"], zero=0, key=KEY, nothing=None),
    **several(create, "name", TypeError, ["sf.models.names()"], number=3, nothing=None),
    "create: unknown": (lambda: create("default/fx"), ValueError, ["no model", "default/fc"]),
    **several(create, "num_classes", TypeError, ["whole number"], string="10", true=True, half=1.5),
    **several(create, "num_classes", ValueError, [">= 1"], none=0),
    **several(
        create,
        "input_shape",
        TypeError,
        ["(height, width, channels)", "(32, 32, 3)"],
        number=8,
        floats=(8.0, 8.0, 1.0),
        string="abc",
        nothing=None,
    ),
    **several(
        create,
        "input_shape",
        ValueError,
        ["(height, width, channels)"],
        two=(8, 8),
        batched=(1, 8, 8, 1),
        zero=(8, 0, 1),
    ),
    **several(
        create, "activation", TypeError, ["jax.nn.relu"], string="relu", of_two=lambda x, y: x
    ),
    **several(create, "dense_classifier", TypeError, ["bool"], string="no", one=1),
}
