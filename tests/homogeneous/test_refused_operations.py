"""What is refused, with the operation and the line."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax import lax

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")


def layer_norm(x: jax.Array) -> jax.Array:
    return (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True))


def attention(x: jax.Array) -> jax.Array:
    return jax.nn.softmax(x @ x.T) @ x


REFUSED: dict[str, tuple[Any, str, str]] = {
    "layer norm": (layer_norm, "sub", "depends on the input"),
    "softmax attention": (attention, "dot_general", "degree 2"),
    "softmax": (jax.nn.softmax, "", "jax.nn.softmax"),
    "exp": (lambda x: jnp.exp(x), "exp", "homogeneous"),
    "tanh": (lambda x: jnp.tanh(x), "tanh", "homogeneous"),
    "sigmoid": (lambda x: jax.nn.sigmoid(x), "logistic", "homogeneous"),
    "gating": (lambda x: x * jax.nn.sigmoid(x), "logistic", "homogeneous"),
    "product": (lambda x: x * (2 * x), "mul", "degree 2"),
    "square": (lambda x: jnp.square(x), "square", "homogeneous"),
    "cube": (lambda x: x**3, "integer_pow", "homogeneous"),
    "square root": (lambda x: jnp.sqrt(x), "sqrt", "homogeneous"),
    "quotient": (lambda x: 1 / x, "div", "divides"),
    "norm": (lambda x: x / jnp.sum(x), "div", "divides"),
    "comparison": (lambda x: jnp.where(x > 1, x, 0), "gt", "homogeneous"),
    "threshold": (lambda x: jnp.maximum(x, 0.1), "max", "0 or less"),
    "cap": (lambda x: jnp.minimum(x, 1.0), "min", "decides by value"),
    "clip": (lambda x: lax.clamp(0.0, x, 1.0), "clamp", "homogeneous"),
    "negation": (lambda x: -x, "neg", "homogeneous"),
    "difference": (lambda x: x - 0.5 * x, "sub", "depends on the input"),
    "rounding": (lambda x: jnp.round(x), "round", "homogeneous"),
    "integers": (lambda x: x.astype(jnp.int32) * 1.0, "convert_element_type", "integers"),
    "argmax": (lambda x: x[:, jnp.argmax(x)], "argmax", "homogeneous"),
    "loop by value": (
        lambda x: lax.while_loop(lambda x: jnp.sum(x) < 9, lambda x: 2 * x, x),
        "while",
        "homogeneous",
    ),
    "branch by value": (
        lambda x: lax.cond(jnp.sum(x) > 1, lambda x: x, lambda x: 2 * x, x),
        "gt",
        "homogeneous",
    ),
    "padding": (lambda x: jnp.pad(x, 1, constant_values=1.0)[:3, :3], "pad", "other than 0"),
    "sort": (lambda x: jnp.sort(x), "sort", "homogeneous"),
}


DERIVED = {
    "standardized": lambda w: w - w.mean(0, keepdims=True),
    "normalized": lambda w: w / jnp.sqrt(jnp.sum(w**2, axis=0, keepdims=True)),
    "gated": lambda w: w * (1 - w),
    "in a divisor": lambda w: 1 / w,
    "exponential": lambda w: jnp.exp(w),
}


@pytest.mark.parametrize("name", DERIVED)
def test_functions_of_the_params_that_give_negative_scores_are_refused(name: str) -> None:
    derive = DERIVED[name]
    with pytest.raises(sf.NonHomogeneousError, match="function of the params"):
        sf.flow(lambda params, x: x @ derive(params), jnp.ones((3, 3)), jnp.ones((1, 3)))


@pytest.mark.parametrize("fill", [-1e30, -jnp.inf, -1.0])
def test_negative_fills_are_refused(fill: float) -> None:
    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        return jnp.where(jnp.arange(3) > 1, x @ params, fill).max(1)

    with pytest.raises(sf.NonHomogeneousError, match="fill in 0"):
        sf.flow(apply_fn, jnp.ones((3, 3)), jnp.ones((1, 3)))


def test_filled_gather_is_refused() -> None:
    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        return (x @ params).at[:, jnp.array([0, 5])].get(mode="fill", fill_value=1.0)

    with pytest.raises(sf.NonHomogeneousError, match="other than 0"):
        sf.flow(apply_fn, jnp.ones((3, 3)), jnp.ones((1, 3)))


def test_the_line_is_the_users_also_through_flax() -> None:
    class Normalized(nnx.Module):
        def __init__(self) -> None:
            self.norm = nnx.LayerNorm(3, rngs=nnx.Rngs(0))

        def __call__(self, x: jax.Array) -> jax.Array:
            return self.norm(x)

    line = Normalized.__call__.__code__.co_firstlineno + 1
    apply_fn, params = sf.from_nnx(Normalized())
    with pytest.raises(sf.NonHomogeneousError, match=rf"{__file__}:{line} \(__call__\)"):
        sf.flow(apply_fn, params, jnp.ones((1, 3)))


def test_a_ready_made_model_is_named_where_no_code_is_the_users() -> None:
    model = nnx.Sequential(nnx.Linear(3, 3, rngs=nnx.Rngs(0)), jnp.tanh)
    apply_fn, params = sf.from_nnx(model)
    with pytest.raises(sf.NonHomogeneousError, match=r"'tanh' at .*helpers\.py:\d+ \(__call__\)"):
        sf.flow(apply_fn, params, jnp.ones((1, 3)))


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    fn, operation, why = REFUSED[name]

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        return fn(jax.nn.relu(x @ params)) @ params

    params = jnp.ones((3, 3))
    with pytest.raises(sf.NonHomogeneousError) as caught:
        sf.prune(sf.synflow(apply_fn, jnp.ones((3, 3))), params, 2.0)
    message = str(caught.value)
    if operation:
        assert f"'{operation}' at " in message
        assert why in message
    assert "apply_fn of" in message
    assert "register" in message
    assert f"{__file__}:" in message
    code = getattr(fn, "__code__", None)
    if code and code.co_filename == __file__:
        assert f":{code.co_firstlineno}" in message or f":{code.co_firstlineno + 1}" in message


def test_refused_output_without_input() -> None:
    with pytest.raises(sf.NonHomogeneousError, match="doesn't depend"):
        sf.flow(lambda params, x: params, jnp.ones(3), jnp.ones(3))


def test_refused_negative_inputs() -> None:
    with pytest.raises(ValueError, match="nonnegative, got a smallest value of -1"):
        sf.synflow(lambda params, x: x @ params, -jnp.ones((1, 2)))
