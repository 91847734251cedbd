"""Rules that users give to operations."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")


def test_an_operation_can_be_given_a_rule() -> None:
    from synflow_jax.homogeneous import rules

    params, x = jnp.array([[2.0]]), jnp.ones((1, 1))

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        return jnp.sort(x @ params)

    with pytest.raises(sf.NonHomogeneousError, match="'sort'"):
        sf.flow(apply_fn, params, x)
    try:
        sf.homogeneous.register(jax.extend.core.primitives.sort_p, lambda site, value: [value])
        assert sf.flow(apply_fn, params, x).log2 == 1
    finally:
        del rules.RULES["sort"]


def test_registering_again_reaches_what_is_compiled() -> None:
    from synflow_jax.homogeneous import rules

    params, x, sin = jnp.eye(3), jnp.ones((1, 3)), jax.extend.core.primitives.sin_p
    score_fn = sf.synflow(lambda p, x: jnp.concatenate([jnp.sin(x @ p), x @ p]), x)
    try:
        sf.homogeneous.register(sin, lambda site, value: value)
        first, _ = sf.prune(score_fn, params, 9.0, rounds=1)
        sf.homogeneous.register(
            sin, lambda site, value: replace(value, mantissa=value.mantissa * jnp.arange(3.0))
        )
        for mask in (
            sf.prune(score_fn, params, 9.0, rounds=1)[0],
            sf.sweep(score_fn, params, [9.0], rounds=1)[0][0],
        ):
            assert first[0, 0]
            assert mask[2, 2]
    finally:
        del rules.RULES["sin"]
