"""A square network's params, and its scores beside those of a linear one."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
from linear_reference import exact_scores, scaled_scores

KEY = jax.random.key(0)
W = jax.random.normal(KEY, (4, 4))
B = jax.random.normal(jax.random.key(1), (4,))
PARAMS = {"w": W, "b": B}
X = jnp.ones((1, 4))


def assert_same_scores(apply_fn: Any, linear: Any, inputs: Any = X) -> None:
    """Scores equal |w| dR/d|w| of ``linear``, differentiated in float64."""
    found = scaled_scores(apply_fn, PARAMS, inputs)
    expected = exact_scores(linear, PARAMS, inputs)
    chex.assert_trees_all_close(found, expected, rtol=1e-5, atol=1e-6)
