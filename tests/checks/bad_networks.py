"""Bad networks and inputs, adapters and rules."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from bad_callers import LINEAR, Case, X, apply, deleted, prune, several
from flax import linen, nnx

import synflow_jax as sf


def synflow(apply_fn: Any = apply, inputs: Any = X, **options: Any) -> Any:
    return sf.synflow(apply_fn, inputs, **options)


def of_outputs(outputs: Any) -> Any:
    return prune(sf.synflow(lambda params, x: outputs(apply(params, x)), X))


NETWORKS: dict[str, Case] = {
    "synflow: swapped": (
        lambda: sf.synflow(X, apply),
        TypeError,
        ["apply_fn must be a function", "float32[3, 2]", "sf.from_nnx"],
    ),
    "synflow: model": (
        lambda: sf.synflow(LINEAR, X),
        TypeError,
        ["apply_fn", "module Linear", "sf.from_nnx(model)"],
    ),
    "synflow: of inputs alone": (
        lambda: sf.synflow(lambda x: x, X),
        TypeError,
        ["apply_fn", "(params, inputs)", "takes (x)"],
    ),
    **several(synflow, "inputs", TypeError, ["jnp.ones"], string="x", whole=3, shape=(1, 2)),
    **several(
        synflow, "inputs", ValueError, ["jnp.ones"], none=None, empty=X[:0], negative=-X, inf=X / 0
    ),
    "synflow: deleted inputs": (lambda: synflow(inputs=deleted(X)), ValueError, ["inputs", "copy"]),
    "synflow: whole numbers": (
        lambda: synflow(inputs=jax.ShapeDtypeStruct((1, 2), jnp.int32)),
        TypeError,
        ["inputs must be floating-point, got int32"],
    ),
    **several(synflow, "biases", TypeError, ["True or False"], string="no", one=1),
    **several(synflow, "dtype", TypeError, ["floating-point"], string="abc", whole=jnp.int32),
    "synflow: float64": (lambda: synflow(dtype=jnp.float64), ValueError, ["dtype", "enable_x64"]),
    "synflow: other shape": (
        lambda: prune(synflow(inputs=jnp.ones((1, 3)))),
        ValueError,
        ["apply_fn", "float32[1, 3]", "(3,)"],
    ),
    "synflow: no outputs": (lambda: of_outputs(lambda y: None), TypeError, ["apply_fn", "None"]),
    "synflow: text": (lambda: of_outputs(lambda y: "a"), TypeError, ["apply_fn", "'a'"]),
    "synflow: classes": (lambda: of_outputs(lambda y: y.argmax(-1)), TypeError, ["int32"]),
    "flow: no params": (lambda: sf.flow(apply, None, X), ValueError, ["params has no leaves"]),
    "flow: module": (lambda: sf.flow(apply, LINEAR, X), TypeError, ["params", "sf.from_nnx"]),
    "flow: integers": (
        lambda: sf.flow(apply, {"dense": {"kernel": jnp.ones((2, 2), int)}}, X),
        TypeError,
        ["dense/kernel", "int32"],
    ),
    "from_nnx: nothing": (lambda: sf.from_nnx(None), TypeError, ["flax.nnx.Module", "NoneType"]),
    "from_nnx: class": (lambda: sf.from_nnx(nnx.Linear), TypeError, ["flax.nnx.Module"]),
    "from_nnx: option": (
        lambda: prune(sf.synflow(sf.from_nnx(LINEAR, train=False)[0], X), sf.from_nnx(LINEAR)[1]),
        ValueError,
        ["apply_fn", "'train'"],
    ),
    "from_linen: class": (lambda: sf.from_linen(linen.Dense, {}), TypeError, ["linen.Module"]),
    "from_linen: nothing": (
        lambda: sf.from_linen(linen.Dense(2), None),
        TypeError,
        ["variables=None", "module.init"],
    ),
    "from_linen: params": (
        lambda: sf.from_linen(linen.Dense(2), {"kernel": X}),
        ValueError,
        ["variables", "'params'", "kernel", "module.init"],
    ),
    "from_linen: mutable": (
        lambda: sf.from_linen(linen.Dense(2), {"params": {}}, mutable=["batch_stats"]),
        ValueError,
        ["mutable=['batch_stats']", "module.apply"],
    ),
    "register: name": (
        lambda: sf.homogeneous.register("sin", lambda site, x: x),
        TypeError,
        ["primitive", "'sin'", "register_activation"],
    ),
    "register: no rule": (
        lambda: sf.homogeneous.register(jax.extend.core.primitives.sin_p, None),
        TypeError,
        ["rule", "(site, *values)"],
    ),
    **{
        f"register_activation: {name}": (
            partial(sf.homogeneous.register_activation, fn),
            TypeError,
            [said],
        )
        for name, fn, said in [
            ("string", "relu", "'relu'"),
            ("nothing", None, "None"),
            ("partial", partial(jnp.tanh), "partial"),
            ("operation of jnp", jnp.tanh, "a function of yours"),
            ("operation of lax", jax.lax.tanh, "a function of yours"),
        ]
    },
}
