"""The linear network's interpreter: what it runs, what it refuses, how far it reaches."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jax import lax
from linear_reference import assert_scores_close, exact_scores, scaled_scores

import synflow_jax as sf
from synflow_jax.homogeneous import activations

pytestmark = pytest.mark.usefixtures("others_promote")
KEY = jax.random.key(0)


# What Flax users write.


def nnx_case(make: Callable[[nnx.Rngs], nnx.Module], shape: tuple[int, ...]) -> Any:
    return lambda: (*sf.from_nnx(make(nnx.Rngs(0))), shape)


def linen_case(module: linen.Module, shape: tuple[int, ...]) -> Any:
    return lambda: (*sf.from_linen(module, module.init(KEY, jnp.ones((1, *shape)))), shape)


def image_net(*layers: Any) -> Any:
    return nnx_case(lambda rngs: nnx.Sequential(*(layer(rngs) for layer in layers)), (8, 8, 3))


def plain(fn: Any) -> Any:
    return lambda rngs: fn


def conv(inputs: int, outputs: int, **options: Any) -> Any:
    options = {"kernel_size": (3, 3), **options}
    return lambda rngs: nnx.Conv(inputs, outputs, rngs=rngs, **options)


def pool(fn: Any, **options: Any) -> Any:
    return plain(lambda x: fn(x, (2, 2), strides=(2, 2), **options))


class Residual(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv, self.norm = conv(3, 3)(rngs), nnx.BatchNorm(3, rngs=rngs)
        self.scale = nnx.Param(jnp.full((1, 1, 1, 3), 0.7))

    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.relu(self.norm(self.conv(x)) + x * self.scale[...])


class DenseNet(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.convs = nnx.List([conv(3 + 4 * i, 4)(rngs) for i in range(3)])

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.convs:
            x = jnp.concatenate([x, nnx.relu(layer(x))], axis=-1)
        return x.mean((1, 2))


class Shuffle(nnx.Module):
    """Channels split, one half convolved, joined and shuffled."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first, self.conv = conv(3, 8)(rngs), conv(4, 4)(rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        left, right = jnp.split(self.first(x), 2, axis=-1)
        x = jnp.concatenate([left[..., ::-1], self.conv(right)], axis=-1)
        x = x.reshape(*x.shape[:-1], 2, 4).swapaxes(-1, -2).reshape(x.shape)
        return x[:, 1:, ::2, jnp.array([0, 3, 1])]


class ScannedNnx(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=4)
        @nnx.vmap(in_axes=(0,), out_axes=0)
        def layers(rngs: nnx.Rngs) -> nnx.Linear:
            return nnx.Linear(5, 5, rngs=rngs)

        self.layers = layers(rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        def forward(x: jax.Array, layer: nnx.Linear) -> jax.Array:
            return nnx.relu(layer(x))

        return forward(x, self.layers)


class ScanBody(linen.Module):
    @linen.compact
    def __call__(self, x: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        x = linen.relu(linen.Dense(5)(x))
        return x, x.sum(-1)


class ScannedLinen(linen.Module):
    @linen.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        layers = linen.scan(
            linen.remat(ScanBody),
            variable_axes={"params": 0},
            split_rngs={"params": True},
            length=4,
        )
        return layers()(x, None)


class Rematerialized(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first, self.second = nnx.Linear(5, 7, rngs=rngs), nnx.Linear(7, 2, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.remat(lambda model, x: model.second(nnx.relu(model.first(x))))(self, x)


@jax.custom_jvp
def custom_relu(x: jax.Array) -> jax.Array:
    return jnp.maximum(x, 0)


custom_relu.defjvps(lambda t, _, x: jnp.where(x > 0, t, 0.0))


@jax.custom_vjp
def doubled(x: jax.Array) -> jax.Array:
    return 2 * x


doubled.defvjp(lambda x: (2 * x, None), lambda _, g: (2 * g,))


def einsum_net() -> Any:
    params = {"a": jax.random.normal(KEY, (5, 2, 3)), "b": jax.random.normal(KEY, (2, 3, 4))}

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        heads = jnp.einsum("bi,ihd->bhd", x, params["a"])
        return jnp.einsum("bhd,hdo->bo", custom_relu(doubled(heads)), params["b"])

    return apply_fn, params, (5,)


def recurrent() -> Any:
    """A scan whose carry starts without depending on the input, over a sequence of inputs."""
    params = {"in": jax.random.normal(KEY, (3, 4)), "state": jax.random.normal(KEY, (4, 4))}

    def apply_fn(params: Any, x: jax.Array) -> Any:
        def step(carry: Any, x: jax.Array) -> Any:
            state, count = carry
            state = jax.nn.relu(x @ params["in"] + state @ params["state"])
            return (state, count + 1), state

        carry = (jnp.zeros((1, 4)), 0)
        (state, _), states = lax.scan(step, carry, x.swapaxes(0, 1), reverse=True)
        return state, states

    return apply_fn, params, (6, 3)


def padded() -> Any:
    params = jax.random.normal(KEY, (7, 2))

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        x = jnp.pad(x, ((0, 0), (1, 1)))
        x = x.at[:, 0].set(0.5 * x[:, 2])
        x = jnp.where(jnp.arange(7) % 2 == 0, x, 0.1 * x)
        x = lax.dynamic_slice(jnp.cumsum(x, axis=1), (0, 0), (1, 7))
        x = jnp.minimum(x, 0.9 * x[:, ::-1])
        return jnp.maximum(jnp.abs(x @ params) / 3, jnp.max(x)).astype(jnp.float32)

    return apply_fn, params, (5,)


NETWORKS: dict[str, Any] = {
    "dense": nnx_case(lambda r: nnx.Linear(5, 3, rngs=r), (5,)),
    "dense general": nnx_case(
        lambda r: nnx.LinearGeneral((2, 3), (4, 2), axis=(1, 2), rngs=r), (2, 3)
    ),
    "einsum layer": nnx_case(lambda r: nnx.Einsum("bi,ijk->bjk", (5, 2, 3), (2, 3), rngs=r), (5,)),
    "einsum": einsum_net,
    "conv": image_net(conv(3, 4), plain(nnx.relu), conv(4, 2)),
    "grouped conv": image_net(conv(3, 6, feature_group_count=3)),
    "dilated conv": image_net(conv(3, 4, kernel_dilation=2)),
    "strided conv": image_net(conv(3, 4, strides=2), conv(4, 4, strides=2, padding="VALID")),
    "transposed conv": image_net(
        lambda r: nnx.ConvTranspose(3, 4, (3, 3), strides=(2, 2), rngs=r), plain(nnx.relu)
    ),
    "batch norm": image_net(conv(3, 4), lambda r: nnx.BatchNorm(4, rngs=r), plain(nnx.relu)),
    "max pool": image_net(conv(3, 4), pool(nnx.max_pool), conv(4, 2)),
    "average pool": image_net(conv(3, 4), pool(nnx.avg_pool, padding="SAME"), conv(4, 2)),
    "average pool of what is there": image_net(
        conv(3, 4), pool(nnx.avg_pool, padding="SAME", count_include_pad=False), conv(4, 2)
    ),
    "global pool": image_net(conv(3, 4), plain(lambda x: x.mean((1, 2)) + x.sum((1, 2)))),
    "global max pool": image_net(conv(3, 4), plain(lambda x: x.max((1, 2)))),
    "dropout": image_net(conv(3, 4), lambda r: nnx.Dropout(0.5, rngs=r)),
    "residual": nnx_case(Residual, (8, 8, 3)),
    "dense net": nnx_case(DenseNet, (8, 8, 3)),
    "channel shuffle": nnx_case(Shuffle, (8, 8, 3)),
    "nnx scan": nnx_case(ScannedNnx, (5,)),
    "linen scan and remat": linen_case(ScannedLinen(), (5,)),
    "nnx remat": nnx_case(Rematerialized, (5,)),
    "linen": linen_case(
        linen.Sequential([linen.Conv(4, (3, 3)), linen.relu, linen.DenseGeneral((2, 2))]), (8, 8, 3)
    ),
    "recurrent": recurrent,
    "padded": padded,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_runs_what_flax_users_write(name: str) -> None:
    apply_fn, params, shape = NETWORKS[name]()
    inputs = jnp.ones((1, *shape))
    ours = scaled_scores(apply_fn, params, inputs)
    assert_scores_close(ours, exact_scores(apply_fn, params, inputs), 1e-5)


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

    with pytest.raises(sf.NonHomogeneousError, match=r"test_homogeneous\.py"):
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


# What is refused, with the operation and the line.


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


def test_hard_sigmoid_is_no_activation_though_made_of_one() -> None:
    with pytest.raises(sf.NonHomogeneousError, match="test_homogeneous"):
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
    with pytest.raises(sf.NonHomogeneousError, match=rf"test_homogeneous\.py:{line} "):
        sf.flow(apply_fn, params, x)
    registered = dict(activations._ACTIVATIONS)
    sf.homogeneous.register_activation(in_place_of_frames)
    try:
        assert sf.flow(apply_fn, params, x).log2 > 0
    finally:
        activations._ACTIVATIONS.clear()
        activations._ACTIVATIONS.update(registered)


def test_a_shape_stands_for_ones() -> None:
    params = jnp.arange(6.0).reshape(2, 3)
    shape = jax.ShapeDtypeStruct((1, 2), jnp.float32)
    apply_fn = lambda p, x: x @ p  # noqa: E731
    assert sf.flow(apply_fn, params, shape).log2 == np.log2(15)
    scores = [sf.synflow(apply_fn, x)(params, True, None, None) for x in (shape, jnp.ones((1, 2)))]
    np.testing.assert_array_equal(*scores)


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


def test_stacked_and_tiled_params_stay_linear() -> None:
    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        kernels = jnp.stack([params, params])
        x, _ = lax.scan(lambda x, kernel: (jax.nn.relu(x @ kernel), None), x, kernels)
        return jnp.stack([x, jnp.tile(x, (1, 1))]) @ jnp.tile(params, (1, 2))

    ones = jnp.ones((1, 2))
    assert sf.flow(apply_fn, jnp.ones((2, 2)), ones).log2 == np.log2(2 * 2 * 2 * 2 * 2 * 2)


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


# Transformations.


def deep(params: Any, x: jax.Array) -> jax.Array:
    for kernel in params:
        x = jax.nn.relu(x @ kernel)
    return x


def deep_params(depth: int = 60, size: float = 100) -> list[jax.Array]:
    return list(size * jax.random.normal(KEY, (depth, 16, 16)))


def test_far_beyond_float32() -> None:
    params, inputs = deep_params(size=1e8), jnp.ones((1, 16))
    mask = sf.full_mask(params)

    @jax.jit
    def scores_and_flow(params: Any) -> Any:
        return sf.synflow(deep, inputs)(params, mask, None, None), sf.flow(deep, params, inputs)

    scores, flow = scores_and_flow(params)
    assert float(flow.log2) > 2000
    for leaf in scores:
        np.testing.assert_allclose(jnp.sum(leaf), flow.mantissa, rtol=1e-4)


def test_zero_biases_dont_hide_a_flow_far_below_float32() -> None:
    kernels = 3e-6 * jax.random.normal(KEY, (20, 16, 16))
    params = [{"w": kernel, "b": jnp.zeros(16)} for kernel in kernels]

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        for layer in params:
            x = jnp.concatenate(
                [jax.nn.relu(x @ layer["w"] + layer["b"].reshape(1, 16)), jnp.zeros((1, 1))], 1
            )
            x = x[:, :16]
        return x

    inputs = jnp.ones((1, 16))

    @jax.jit
    def flows(params: Any) -> list[jax.Array]:
        return [sf.flow(apply_fn, params, inputs, biases=b).log2 for b in (True, False)]

    logs = [float(log) for log in flows(params)]
    assert -1000 < logs[0] < -150
    assert logs[0] == logs[1]
    _, history = sf.prune(sf.synflow(apply_fn, inputs), params, 10.0, rounds=10)
    assert history.kept_by_layer[-1].min() > 0


def test_growth_is_bounded_between_products() -> None:
    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        for _ in range(30):
            x = x + x
        x = x / jnp.array([[1.0, 1e-30]])
        for _ in range(90):
            x = x + x
        return (x @ params) * 1e-30

    flow = jax.jit(lambda p: sf.flow(apply_fn, p, jnp.ones((1, 2))))(jnp.full((2, 2), 1e20))
    np.testing.assert_allclose(flow.log2, 120 + np.log2(2e50) - 30 * np.log2(10), rtol=1e-3)


def test_without_biases_nothing_is_added_anywhere() -> None:
    params = {"w": jnp.ones((3, 3)), "b": jnp.full(3, 5.0)}

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        x = x @ params["w"]
        x = x.at[:, 0].add(params["b"][0])
        x = jnp.concatenate([x, params["b"].reshape(1, 3)], axis=1)
        x = jnp.where(jnp.arange(6) < 5, x, params["b"][0])
        return x - params["b"][0]

    inputs = jnp.ones((1, 3))
    np.testing.assert_allclose(sf.flow(apply_fn, params, inputs, biases=False).log2, np.log2(9))
    assert sf.flow(apply_fn, params, inputs).log2 > np.log2(9)


def test_all_zero_flow_has_zero_scores() -> None:
    params = deep_params(5)
    params[2] = jnp.zeros_like(params[2])
    scores = sf.synflow(deep, jnp.ones((1, 16)))(params, [jnp.array(True)] * 5, None, None)
    chex.assert_trees_all_equal(scores, [jnp.zeros((16, 16))] * 5)
    assert sf.flow(deep, params, jnp.ones((1, 16))).log2 == -jnp.inf


def test_under_vmap_and_grad() -> None:
    params, inputs = deep_params(), jnp.ones((1, 16))
    stacked = [jnp.stack([kernel, 1e-3 * kernel]) for kernel in params]

    def log(params: Any) -> jax.Array:
        return sf.flow(deep, params, inputs).log2

    logs, gradient = jax.jit(lambda: (jax.vmap(log)(stacked), jax.grad(log)(params)))()
    np.testing.assert_allclose(logs[0] - logs[1], 60 * np.log2(1e3), rtol=1e-5)
    # The gradient of log R: by the theorem w dlogR/dw of a layer adds up to 1.
    for w, g in zip(params, gradient, strict=True):
        np.testing.assert_allclose(jnp.sum(w * g) * np.log(2), 1, rtol=1e-4)


DEVICES = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import NamedSharding, PartitionSpec as P
import synflow_jax as sf

mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
keys = jax.random.split(jax.random.key(0), 4)
params = [100 * jax.random.normal(key, (16, 16)) for key in keys]
# Parts of very different size, each with an exponent of its own.
params.append(jnp.exp2(jnp.arange(16.0) * 8).reshape(16, 1) * jnp.ones((1, 16)))
inputs, mask = jnp.ones((1, 16)), [jnp.array(True)] * 5

def apply_fn(params, x):
    for kernel in params:
        x = jax.nn.relu(x @ kernel)
    return x

def hidden_sharded(params, x):
    for kernel in params[:-1]:
        x = jax.nn.relu(x @ kernel)
    part = jax.lax.axis_index("data") * 2
    x = jax.lax.dynamic_slice(x, (0, part), (1, 2))
    return jax.lax.psum(x @ params[-1], "data")

expected = sf.flow(apply_fn, params, inputs)
specs = [P()] * 4 + [P("data", None)]
flow = jax.shard_map(
    lambda params: sf.flow(hidden_sharded, params, inputs), mesh=mesh, in_specs=(specs,),
    out_specs=P(),
)
found = jax.jit(flow)(params)
np.testing.assert_allclose(found.log2, expected.log2, rtol=1e-6)

plain = jax.jit(sf.synflow(apply_fn, inputs))(params, mask, None, None)
sharding = NamedSharding(mesh, P(None, "data"))
sharded = jax.jit(sf.synflow(apply_fn, inputs), in_shardings=(sharding, None, None, None))
for a, b in zip(sharded(params, mask, None, None), plain):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6 * float(b.max()))
assert len(jax.devices()) == 8
"""


def test_under_shard_map_and_sharded_jit_on_eight_devices() -> None:
    flags = "--xla_force_host_platform_device_count=8"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", DEVICES], check=True, env=environment)


# Biases.


def norm_model() -> nnx.Module:
    model = nnx.Sequential(
        nnx.Conv(3, 8, (3, 3), rngs=nnx.Rngs(0)),
        nnx.BatchNorm(8, rngs=nnx.Rngs(1)),
        nnx.relu,
        nnx.Conv(8, 4, (3, 3), rngs=nnx.Rngs(2)),
        lambda x: x.mean((1, 2)),
        nnx.Linear(4, 2, rngs=nnx.Rngs(3)),
    )
    for path, leaf in nnx.iter_graph(model):
        if isinstance(leaf, nnx.Variable) and path[-1] in ("bias", "mean"):
            leaf[...] = jax.random.normal(jax.random.key(len(path)), leaf.shape)
    return model


def layer_sums(scores: Any) -> np.ndarray:
    return np.array([float(jnp.sum(leaf)) for leaf in jax.tree.leaves(scores) if leaf.ndim > 1])


def test_without_biases_conservation_is_exact() -> None:
    apply_fn, params = sf.from_nnx(norm_model())
    inputs, mask = jnp.ones((1, 8, 8, 3)), sf.full_mask(params)
    for biases in (False, True):
        flow_fn = partial(sf.flow, apply_fn, inputs=inputs, biases=biases)
        scores = jax.jit(sf.synflow(apply_fn, inputs, biases=biases))(params, mask, None, None)
        flow = jax.jit(flow_fn)(params)
        sums = layer_sums(scores) / float(flow.mantissa)
        assert all(bool(jnp.all(leaf >= 0)) for leaf in jax.tree.leaves(scores))
        if biases:
            assert sums.min() < 0.9
            assert sums.max() < 1
        else:
            np.testing.assert_allclose(sums, 1, rtol=1e-5)


def test_running_means_are_biases_in_absolute_value() -> None:
    model = norm_model()
    apply_fn, params = sf.from_nnx(model)
    flipped = nnx.clone(model)
    flipped.layers[1].mean[...] *= -1
    other_fn, _ = sf.from_nnx(flipped)
    inputs = jnp.ones((1, 8, 8, 3))
    flipped.layers[1].mean[...] *= 10
    larger_fn, _ = sf.from_nnx(flipped)
    flow, other, larger = jax.jit(
        lambda params: [sf.flow(fn, params, inputs).log2 for fn in (apply_fn, other_fn, larger_fn)]
    )(params)
    assert flow == other
    assert larger > flow
