"""Random numbers drawn at once are those that JAX draws one parameter after another."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.nn.initializers import lecun_normal, truncated_normal, variance_scaling
from jax.nn.initializers import normal as jax_normal
from small_models import small

import synflow_jax as sf
from benchmarks.harness.compilations import counted
from synflow_jax.checks import named_leaves
from synflow_jax.models.draws import (
    cut_normal,
    fan_in,
    fan_out,
    kaiming,
    lecun,
    normal,
    uniform,
    uniform_by,
)
from synflow_jax.models.filling import ROWS, WIDTH, Pending, drawn

# Sums of products round as in whole programs.
pytestmark = [pytest.mark.usefixtures("others_promote"), pytest.mark.optimized]


def jax_uniform(key, shape):
    return jax.random.uniform(key, shape, jnp.float32, -0.3, 0.3)


DRAWS = {
    "fan in": (kaiming(fan_in), variance_scaling(2.0, "fan_in", "normal")),
    "fan out": (kaiming(fan_out), variance_scaling(2.0, "fan_out", "normal")),
    "cut normal": (cut_normal(0.02), truncated_normal(0.02)),
    "lecun": (lecun(fan_in), lecun_normal()),
    "normal": (normal(0.01), jax_normal(0.01)),
    "uniform by": (uniform_by(fan_in), variance_scaling(1 / 3, "fan_in", "uniform")),
    "uniform": (uniform(0.3), jax_uniform),
}
SHAPES = [(3, 3, 3, 8), (7, 5), (2, WIDTH // 2), (WIDTH + 1, 1), (ROWS // 2, WIDTH)]


def bits(array):
    return np.asarray(array).view(np.uint32)


@pytest.mark.parametrize("kind", DRAWS)
def test_numbers_are_those_of_jax(kind):
    draw, theirs = DRAWS[kind]
    keys = jax.random.split(jax.random.key(7), len(SHAPES))
    shapes = SHAPES if kind == "fan in" else SHAPES[:2]
    waiting = [Pending(draw, key, shape) for key, shape in zip(keys, shapes, strict=False)]
    for each, ours in zip(waiting, drawn(waiting), strict=True):
        assert ours.shape == each.shape
        np.testing.assert_array_equal(bits(ours), bits(theirs(each.key, each.shape)))
        np.testing.assert_array_equal(bits(ours), bits(draw(each.key, each.shape)))


def values(model):
    return dict(named_leaves(nnx.state(model, nnx.Param)))


def test_create_draws_by_the_keys_of_its_rngs():
    params = values(small("default/conv", (8, 8, 3)))
    keys = (jax.random.fold_in(jax.random.key(0), i) for i in range(6))
    for name in ("convs/0", "convs/1", "output"):
        kernel = params[f"{name}/kernel"]
        bound = 1 / math.sqrt(math.prod(kernel.shape[:-1]))
        theirs = DRAWS["uniform by"][1](next(keys), kernel.shape)
        np.testing.assert_array_equal(bits(kernel), bits(theirs))
        bias = params[f"{name}/bias"]
        theirs = jax.random.uniform(next(keys), bias.shape, minval=-bound, maxval=bound)
        np.testing.assert_array_equal(bits(bias), bits(theirs))


def test_rngs_go_on():
    rngs = nnx.Rngs(0)
    one, other = (
        values(sf.models.create("default/fc", num_classes=2, input_shape=(2, 2, 1), rngs=rngs))
        for _ in range(2)
    )
    assert int(rngs.params.count[...]) == 24
    assert not any(np.any(np.asarray(one[name]) == np.asarray(other[name])) for name in one)


@pytest.mark.parametrize("rngs", ["rbg", "wide", "traced"])
def test_elsewhere_jax_draws_itself(rngs):
    def make():
        key = jax.random.key(0, impl="rbg") if rngs == "rbg" else 0
        options = {"num_classes": 2, "input_shape": (2, 2, 1), "rngs": nnx.Rngs(key)}
        return sf.models.create("default/fc", **options)

    with jax.enable_x64(rngs == "wide"):
        model = nnx.jit(make)() if rngs == "traced" else make()
        leaves = jax.tree.leaves(nnx.state(model, nnx.Param))
    assert all(isinstance(leaf, jax.Array) and leaf.dtype == jnp.float32 for leaf in leaves)
    assert all(float(jnp.std(leaf)) > 0 for leaf in leaves)


def test_few_programs_are_compiled():
    jax.clear_caches()
    with counted() as compiled:
        small("lottery/resnet20")
    # One draws, one for each shape of the norms, and those of the keys.
    assert len(compiled) <= 14
