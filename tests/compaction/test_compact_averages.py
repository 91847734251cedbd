"""Averages over the units that are left: the function that the code computes on small arrays."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compact_checks import assert_close
from flax import nnx

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote", "wide")


def shift(x: jax.Array) -> jax.Array:
    return x - x.mean(-1, keepdims=True)


def twice(x: jax.Array, total: jax.Array) -> jax.Array:
    return x - total / 8 + jnp.sin(total)


@jax.custom_vjp
def own_derivative(x: jax.Array) -> jax.Array:
    return shift(x)


own_derivative.defvjp(
    lambda x: (shift(x), x.shape[-1]), lambda size, g: (g - g.sum(-1)[:, None] / size,)
)

AVERAGED: dict[str, Callable[[jax.Array], jax.Array]] = {
    "mean": shift,
    "variance": lambda x: x * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5),
    "root of squares": lambda x: x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-5),
    "standardized": lambda x: jax.nn.standardize(x),
    "times the inverse": lambda x: x - (x.sum(-1) * (1 / 8))[:, None],
}
# A sum may be meant, what else is done with it isn't known, and a derivative divides as well.
HELD: dict[str, Callable[[jax.Array], jax.Array]] = {
    "sum": lambda x: x - x.sum(-1, keepdims=True),
    "of another number": lambda x: x - x.sum(-1, keepdims=True) / 7,
    "used twice": lambda x: twice(x, x.sum(-1, keepdims=True)),
    "unbiased variance": lambda x: x / (x.var(-1, keepdims=True, ddof=1) + 1),
    "a derivative of its own": own_derivative,
}


def network(through: Callable[[jax.Array], jax.Array]) -> Any:
    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        return jnp.tanh(through(x @ params["a"]) * params["s"][None]) @ params["b"]

    rng = np.random.default_rng(0)
    shapes = {"a": (5, 8), "s": (8,), "b": (8, 3)}
    params = {name: jax.device_put(rng.normal(size=shape)) for name, shape in shapes.items()}
    return apply_fn, params, jax.device_put(rng.normal(size=(6, 5)))


def without_units(params: Any) -> Any:
    own = jnp.array([1, 1, 0, 1, 0, 0, 1, 1], bool)
    return {
        "a": jnp.broadcast_to(own, params["a"].shape),
        "s": own,
        "b": jnp.broadcast_to(own[:, None], params["b"].shape),
    }


@pytest.mark.parametrize("name", AVERAGED)
def test_the_code_on_small_arrays(name: str) -> None:
    apply_fn, params, x = network(AVERAGED[name])
    small = sf.compact(apply_fn, params, without_units(params), x, averages="left")
    assert small.params["a"].shape == (5, 5)
    expected = (
        apply_fn
        if name != "times the inverse"
        else network(lambda x: x - x.mean(-1, keepdims=True))[0]
    )

    def loss(fn: Any) -> Any:
        return lambda params: jnp.square(fn(params, x)).sum()

    for of in (lambda fn: fn(small.params, x), lambda fn: jax.grad(loss(fn))(small.params)):
        assert_close(of(small.apply_fn), of(expected), 1e-12, name)
        assert_close(of(small.of(apply_fn)), of(expected), 1e-12, name)
    with pytest.raises(ValueError, match=r"takes a gradient of the average at .*take the gradient"):
        small.of(jax.grad(loss(apply_fn)))(small.params)


@pytest.mark.parametrize("name", HELD)
def test_other_sums_are_taken_of_all(name: str) -> None:
    apply_fn, params, x = network(HELD[name])
    mask = without_units(params)
    masked = apply_fn(sf.apply_mask(mask, params), x)
    small = sf.compact(apply_fn, params, mask, x, averages="left")
    assert_close(small.apply_fn(small.params, x), masked, 1e-12, name)
    with pytest.raises(ValueError, match="no unit of the network can go"):
        sf.units(apply_fn, params, x)


def test_what_is_masked_without_it() -> None:
    apply_fn, params, x = network(AVERAGED["standardized"])
    mask = without_units(params)
    small = sf.compact(apply_fn, params, mask, x)
    assert_close(
        small.apply_fn(small.params, x), apply_fn(sf.apply_mask(mask, params), x), 1e-12, "outputs"
    )


class Tokens(nnx.Module):
    """A block of a transformer."""

    def __init__(self, rngs: nnx.Rngs):
        options = {"rngs": rngs, "param_dtype": jnp.float64, "dtype": jnp.float64}
        self.embed = nnx.Linear(5, 12, **options)
        self.norm = nnx.LayerNorm(12, **options)
        self.attention = nnx.MultiHeadAttention(3, 12, decode=False, **options)
        self.output = nnx.Linear(12, 2, **options)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.embed(x)
        return self.output(x + self.attention(self.norm(x)))


def test_nnx_models_of_fewer_channels_and_smaller_heads() -> None:
    model = Tokens(nnx.Rngs(0))
    apply_fn, params = sf.from_nnx(model)
    x = jax.random.normal(jax.random.key(1), (2, 4, 5), jnp.float64)
    units = sf.units(apply_fn, params, x)
    assert sorted(own.size for own in units.classes) == [3, 4, 4, 12]
    only = [own.name for own in units.classes if own.size > 3]
    mask, history = sf.prune_units(
        sf.magnitude(), params, units, units=0.5, per_class=True, rounds=1, only=only
    )
    small, small_mask = sf.compact_nnx(model, mask, x, averages="left")
    assert small.attention.query.kernel.shape == (6, 3, 2)
    assert (small.norm.num_features, small.attention.head_dim) == (6, 2)
    assert history.weights[-1] == sum(
        leaf.size for leaf in jax.tree.leaves(nnx.state(small, nnx.Param))
    )
    assert jax.tree.all(jax.tree.map(jnp.all, small_mask))
    (stream,) = (own.name for own in units.classes if own.averaged)
    mask, _ = sf.prune_units(sf.magnitude(), params, units, units=0.8, rounds=1, only=[stream])
    native, _ = sf.compact_nnx(model, mask, x, averages="left")
    plain = sf.compact(apply_fn, params, mask, x, averages="left")
    assert native.norm.num_features == plain.params.norm.scale.shape[0] == 8
    assert_close(native(x), plain.apply_fn(plain.params, x), 1e-9, "outputs")
    whole, _ = sf.compact_nnx(model, mask, x)
    assert whole.norm.num_features == 12
    assert_close(whole(x), apply_fn(sf.apply_mask(mask, params), x), 1e-9, "outputs")


def test_bad_calls() -> None:
    apply_fn, params, x = network(shift)
    with pytest.raises(ValueError, match="averages must be 'whole' or 'left', got 'none'"):
        sf.compact(apply_fn, params, without_units(params), x, averages="none")
    model = Tokens(nnx.Rngs(0))
    mask = sf.full_mask(sf.from_nnx(model)[1])
    with pytest.raises(ValueError, match="averages must be"):
        sf.compact_nnx(model, mask, jnp.ones((1, 4, 5)), averages=None)
