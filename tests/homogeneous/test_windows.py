"""Windows and convolutions: the smallest and the largest, and the flow as a kernel."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax import lax
from square_network import KEY, PARAMS, X, assert_same_scores

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")


# Windows.


@pytest.mark.parametrize("ones", [True, False])
def test_smallest_of_a_window(ones: bool) -> None:
    x = jnp.ones((1, 4, 4, 1)) if ones else jax.random.uniform(KEY, (1, 4, 4, 1)) + 0.1

    def linear(p: Any, x: jax.Array) -> jax.Array:
        y = lax.conv_general_dilated(
            x, p["w"][..., None, None], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return nnx.min_pool(y, (2, 2), strides=(2, 2)) * p["b"]

    assert_same_scores(linear, linear, x)


@pytest.mark.parametrize("ones", [True, False])
def test_the_largest_of_a_window_wholly_outside_is_nothing(ones: bool) -> None:
    x = jnp.ones((1, 4)) if ones else jnp.array([[1.0, 3.0, 2.0, 5.0]])

    def apply_fn(p: Any, x: jax.Array) -> jax.Array:
        y = lax.reduce_window(x * p["b"], -jnp.inf, lax.max, (1, 2), (1, 2), ((0, 0), (2, 2)))
        return y @ p["w"]

    def linear(p: Any, x: jax.Array) -> jax.Array:
        return jnp.pad((x * p["b"]).reshape(1, 2, 2).max(2), ((0, 0), (1, 1))) @ p["w"]

    assert_same_scores(apply_fn, linear, x)


def test_the_smallest_of_a_window_wholly_outside_is_refused() -> None:
    def apply_fn(p: Any, x: jax.Array) -> jax.Array:
        return lax.reduce_window(x * p["b"], jnp.inf, lax.min, (1, 2), (1, 2), ((0, 0), (2, 2)))

    with pytest.raises(sf.NonHomogeneousError, match="wholly outside"):
        sf.flow(apply_fn, PARAMS, X)


@pytest.mark.parametrize("ones", [True, False])
def test_the_flow_as_the_kernel_of_a_convolution(ones: bool) -> None:
    x = jnp.ones((3, 3)) if ones else jax.random.uniform(KEY, (3, 3))

    def linear(p: Any, x: jax.Array) -> jax.Array:
        image = p["w"].reshape(1, 4, 4, 1)
        return lax.conv_general_dilated(
            image,
            x[..., None, None],
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    assert_same_scores(linear, linear, x)
