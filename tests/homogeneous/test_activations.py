"""Activations: which stand for the positive part, and how more are named."""

from functools import partial
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from linear_reference import scaled_scores

import synflow_jax as sf
from synflow_jax.homogeneous import activations

pytestmark = pytest.mark.usefixtures("others_promote")


ACTIVATIONS = {
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "celu": jax.nn.celu,
    "gelu": jax.nn.gelu,
    "exact gelu": partial(jax.nn.gelu, approximate=False),
    "silu": jax.nn.silu,
    "hard_swish": jax.nn.hard_swish,
    "softplus": jax.nn.softplus,
    "mish": jax.nn.mish,
    "jitted gelu": jax.jit(lambda x: jax.nn.gelu(x)),
    "rematerialized gelu": jax.checkpoint(lambda x: jax.nn.gelu(x)),
    "maximum": lambda x: jnp.maximum(0, x),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_stand_for_the_positive_part(name: str) -> None:
    activation = ACTIVATIONS[name]

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        return (activation(x @ params["a"]) + activation(2 * (x @ params["b"]))) @ params["c"]

    def linear(params: Any, x: jax.Array) -> jax.Array:
        return (x @ params["a"] + 2 * (x @ params["b"])) @ params["c"]

    params = {
        name: 10 * jax.random.normal(jax.random.key(i), (4, 4)) for i, name in enumerate("abc")
    }
    inputs = jnp.ones((1, 4))
    expected = scaled_scores(linear, params, inputs)
    chex.assert_trees_all_equal(scaled_scores(apply_fn, params, inputs), expected)


def test_a_function_first_used_in_an_activation_is_no_activation() -> None:
    """Jitted functions are traced once: where the first call came from mustn't decide."""
    jax.nn.elu(jnp.ones((3, 17)))

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        y = x @ params
        return jnp.where(y > 0, y, 0.5)

    with pytest.raises(sf.NonHomogeneousError, match=r"test_activations\.py"):
        sf.flow(apply_fn, jnp.ones((4, 17)), jnp.ones((3, 4)))


def test_a_new_activation_can_be_named() -> None:
    def own(x: jax.Array) -> jax.Array:
        return x * jnp.tanh(jax.nn.softplus(x) ** 2)

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        return own(x @ params) @ params

    params, x = jnp.full((2, 2), 3.0), jnp.ones((1, 2))
    with pytest.raises(sf.NonHomogeneousError):
        sf.flow(apply_fn, params, x)
    sf.homogeneous.register_activation(own)
    np.testing.assert_allclose(sf.flow(apply_fn, params, x).log2, np.log2(72), rtol=1e-6)


def test_hard_sigmoid_is_no_activation_though_made_of_one() -> None:
    with pytest.raises(sf.NonHomogeneousError, match="test_activations"):
        sf.flow(lambda p, x: jax.nn.hard_sigmoid(x @ p), jnp.ones((3, 3)), jnp.ones((1, 3)))


def test_naming_one_lambda_names_no_other() -> None:
    first, second = (
        lambda x: jnp.exp(x),
        lambda x: jnp.exp(x),
    )
    sf.homogeneous.register_activation(first)
    params, x = jnp.ones((3, 3)), jnp.ones((1, 3))
    assert sf.flow(lambda p, x: first(x @ p), params, x).log2 > 0
    with pytest.raises(sf.NonHomogeneousError, match="'exp'"):
        sf.flow(lambda p, x: second(x @ p), params, x)
    with pytest.raises(TypeError, match="Python function"):
        sf.homogeneous.register_activation(partial(first))


def test_of_two_lambdas_on_one_line_one_is_named() -> None:
    first, second = (lambda x: jnp.exp(x)), (lambda x: jnp.sin(x))
    sf.homogeneous.register_activation(first)
    params, x = jnp.ones((3, 3)), jnp.ones((1, 3))
    assert sf.flow(lambda p, x: first(x @ p), params, x).log2 > 0
    with pytest.raises(sf.NonHomogeneousError, match="'sin'"):
        sf.flow(lambda p, x: second(x @ p), params, x)


def test_a_lambda_typed_in_a_shell_names_no_later_one() -> None:
    """In a shell all lines have one name and number."""
    scope: dict[str, Any] = {"jnp": jnp}
    exec(compile("first = lambda x: jnp.exp(x)", "<stdin>", "exec"), scope)
    exec(compile("later = lambda x: x @ x", "<stdin>", "exec"), scope)
    sf.homogeneous.register_activation(scope["first"])
    with pytest.raises(sf.NonHomogeneousError, match="degree 2"):
        sf.flow(lambda p, x: scope["later"](x @ p), jnp.ones((3, 3)), jnp.ones((3, 3)))


def in_place_of_frames(x: jax.Array) -> jax.Array:
    return x * jnp.tanh(jax.nn.softplus(x) ** 3)


def bind(x: jax.Array) -> jax.Array:
    return in_place_of_frames(x)


def cache_miss(x: jax.Array) -> jax.Array:
    return in_place_of_frames(x)


class Jitted(nnx.Module):
    @nnx.jit
    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, x: jax.Array
    ) -> jax.Array:
        return in_place_of_frames(x)


JITTED = {
    "bind": jax.jit(bind),
    "cache_miss": jax.jit(cache_miss),
    "partial": jax.jit(partial(lambda x, y: in_place_of_frames(x * y), y=2.0)),
    "nnx call": lambda x: sf.from_nnx(Jitted())[0](nnx.State({}), x),
    "jitted call": jax.jit(lambda x: jax.jit(sf.from_nnx(Jitted())[0])(nnx.State({}), x)),
}


@pytest.mark.parametrize("name", JITTED)
def test_jitted_functions_of_any_name_keep_their_lines(name: str) -> None:
    params, x = jnp.full((3, 3), 2.0), jnp.ones((1, 3))

    def apply_fn(p: Any, x: jax.Array) -> jax.Array:
        return JITTED[name](x @ p)

    line = in_place_of_frames.__code__.co_firstlineno + 1
    with pytest.raises(sf.NonHomogeneousError, match=rf"test_activations\.py:{line} "):
        sf.flow(apply_fn, params, x)
    registered = dict(activations._ACTIVATIONS)
    sf.homogeneous.register_activation(in_place_of_frames)
    try:
        assert sf.flow(apply_fn, params, x).log2 > 0
    finally:
        activations._ACTIVATIONS.clear()
        activations._ACTIVATIONS.update(registered)
