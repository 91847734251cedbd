"""The linear network of what Flax users write."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jax import lax
from linear_reference import assert_scores_close, exact_scores, scaled_scores

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")
KEY = jax.random.key(0)


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


def test_a_shape_stands_for_ones() -> None:
    params = jnp.arange(6.0).reshape(2, 3)
    shape = jax.ShapeDtypeStruct((1, 2), jnp.float32)
    apply_fn = lambda p, x: x @ p  # noqa: E731
    assert sf.flow(apply_fn, params, shape).log2 == np.log2(15)
    scores = [sf.synflow(apply_fn, x)(params, True, None, None) for x in (shape, jnp.ones((1, 2)))]
    np.testing.assert_array_equal(*scores)


def test_stacked_and_tiled_params_stay_linear() -> None:
    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        kernels = jnp.stack([params, params])
        x, _ = lax.scan(lambda x, kernel: (jax.nn.relu(x @ kernel), None), x, kernels)
        return jnp.stack([x, jnp.tile(x, (1, 1))]) @ jnp.tile(params, (1, 2))

    ones = jnp.ones((1, 2))
    assert sf.flow(apply_fn, jnp.ones((2, 2)), ones).log2 == np.log2(2 * 2 * 2 * 2 * 2 * 2)
