"""Constants and params before they meet the flow: what is known of them, and what is refused."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax
from linear_reference import exact_scores, scaled_scores

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")
KEY = jax.random.key(0)
W = jax.random.normal(KEY, (4, 4))
B = jax.random.normal(jax.random.key(1), (4,))
PARAMS = {"w": W, "b": B}
X = jnp.ones((1, 4))
CENTERED = jnp.eye(4) - 1 / 4


def assert_same_scores(apply_fn: Any, linear: Any, inputs: Any = X) -> None:
    """Scores equal |w| dR/d|w| of ``linear``, differentiated in float64."""
    found = scaled_scores(apply_fn, PARAMS, inputs)
    expected = exact_scores(linear, PARAMS, inputs)
    chex.assert_trees_all_close(found, expected, rtol=1e-5, atol=1e-6)


NEGATIVE = {
    "trained divisor": lambda p, x: (x @ p["w"]) / p["b"],
    "inputs over params": lambda p, x: x / p["w"][:1],
    "over a sum": lambda p, x: (x @ p["w"]) / p["w"].sum(),
    "less one": lambda p, x: (x @ p["w"]) * (p["b"] + (-1.0)),
    "less one half": lambda p, x: x @ (p["w"] - 0.5),
    "twice less one": lambda p, x: x @ (2 * p["w"] + (-1.0)),
    "less the transposed": lambda p, x: x @ (p["w"] + (-0.5) * p["w"].T),
    "centered": lambda p, x: x @ (CENTERED @ p["w"]),
    "basis": lambda p, x: x @ jnp.einsum("kij,k->ij", jnp.stack([CENTERED] * 4), p["b"]),
    "inverse": lambda p, x: x * (1 / p["b"]),
    "computed constant": lambda p, x: x @ (p["w"] + jnp.cos(jnp.full(4, 3.0))),
    "in a scan": lambda p, x: (
        x @ lax.scan(lambda c, w: (c - w, None), jnp.zeros(4), p["w"])[0][:, None]
    ),
    "chosen": lambda p, x: jnp.where(p["b"] > 1, x, 2 * x),
    "chosen params": lambda p, x: x @ jnp.where(p["w"] > 0.1, p["w"], 0.1 * p["w"]),
    "read at": lambda p, x: x[:, jnp.argmax(p["b"])],
    "rounded": lambda p, x: x @ p["w"].astype(jnp.int32).astype(jnp.float32),
}


@pytest.mark.parametrize("name", NEGATIVE)
def test_what_could_give_negative_scores_is_refused(name: str) -> None:
    with pytest.raises(sf.NonHomogeneousError, match=r"params|negative"):
        sf.flow(NEGATIVE[name], PARAMS, X)


POSITIVE = {
    "square": (lambda p, x: x @ p["w"] ** 2, lambda p, x: x @ p["w"] ** 2),
    "product": (lambda p, x: x @ (p["w"] * p["w"]), lambda p, x: x @ p["w"] ** 2),
    "negated": (lambda p, x: x @ -p["w"], lambda p, x: x @ p["w"]),
    "negated sum": (lambda p, x: x @ (-p["w"] - p["w"].T), lambda p, x: x @ (p["w"] + p["w"].T)),
    "negative factor": (lambda p, x: x @ (-1.0 * p["w"]), lambda p, x: x @ p["w"]),
    "factors of both signs": (
        lambda p, x: x @ (p["w"] * jnp.array([1.0, -2.0, 3.0, -4.0])),
        lambda p, x: x @ (p["w"] * jnp.array([1.0, 2.0, 3.0, 4.0])),
    ),
    "cube of the negated": (lambda p, x: x @ (-p["w"]) ** 3, lambda p, x: x @ p["w"] ** 3),
    "two factors": (lambda p, x: x @ (-p["w"] @ -p["w"]), lambda p, x: x @ (p["w"] @ p["w"])),
    "not negative": (lambda p, x: x @ jnp.maximum(p["w"], -1.0), lambda p, x: x @ p["w"]),
    "computed constant": (
        lambda p, x: x @ (p["w"] + jnp.exp(jnp.full(4, -1.0))),
        lambda p, x: x @ (p["w"] + np.exp(-1.0)),
    ),
    "fixed kernel": (lambda p, x: (x @ CENTERED) @ p["w"], lambda p, x: x @ abs(CENTERED) @ p["w"]),
    "negated branch": (
        lambda p, x: lax.cond(False, jnp.sin, jnp.negative, p["w"]).T @ x.T,
        lambda p, x: p["w"].T @ x.T,
    ),
    "power 1": (lambda p, x: (x @ p["w"]) ** 1, lambda p, x: x @ p["w"]),
    "power 1.0": (lambda p, x: jnp.power(x @ p["w"], 1.0), lambda p, x: x @ p["w"]),
    "positive part": (
        lambda p, x: jnp.maximum(x @ p["w"], jnp.zeros_like(x)) @ p["w"],
        lambda p, x: x @ p["w"] @ p["w"],
    ),
    "positive part of NumPy": (
        lambda p, x: jnp.maximum(x @ p["w"], np.zeros(4, np.float32)),
        lambda p, x: x @ p["w"],
    ),
    "take": (
        lambda p, x: jnp.take(x @ p["w"], jnp.array([0, 2, -1, 0]), axis=1),
        lambda p, x: (x @ p["w"])[:, np.array([0, 2, 3, 0])],
    ),
    "take along an axis": (
        lambda p, x: jnp.take_along_axis(x @ p["w"], jnp.array([[3, 1]]), axis=1),
        lambda p, x: (x @ p["w"])[:, np.array([3, 1])],
    ),
    "cond": (
        lambda p, x: lax.cond(True, lambda y: y, lambda y: 2 * y, x @ p["w"]),
        lambda p, x: x @ p["w"],
    ),
    "switch": (
        lambda p, x: lax.switch(1, [lambda y: y, lambda y: 2 * y], x @ p["w"]),
        lambda p, x: 2 * (x @ p["w"]),
    ),
    "several through a barrier": (
        lambda p, x: sum(lax.optimization_barrier((8 * (x @ p["w"]), p["b"][None]))),
        lambda p, x: 8 * (x @ p["w"]) + p["b"],
    ),
    "several flows through a barrier": (
        lambda p, x: sum(lax.optimization_barrier((8 * (x @ p["w"]), 1e-3 * x))),
        lambda p, x: 8 * (x @ p["w"]) + 1e-3 * x,
    ),
    "several onto a device": (
        lambda p, x: sum(jax.device_put((8 * (x @ p["w"]), p["b"][None]))),
        lambda p, x: 8 * (x @ p["w"]) + p["b"],
    ),
    "penalty": (
        lambda p, x: _with_penalty(p, x),
        lambda p, x: x @ p["w"] @ p["w"] + 2 * jnp.sum(p["w"] ** 2),
    ),
}


def _with_penalty(p: Any, x: jax.Array) -> jax.Array:
    def step(_: Any, carry: Any) -> Any:
        y, penalty = carry
        return y @ p["w"], penalty + jnp.sum(p["w"] ** 2)

    y, penalty = lax.fori_loop(0, 2, step, (x, jnp.float32(0)))
    return y + penalty


@pytest.mark.parametrize("name", POSITIVE)
def test_what_is_known_when_tracing_is_known(name: str) -> None:
    apply_fn, linear = POSITIVE[name]
    assert_same_scores(apply_fn, linear)


FILLS = {
    "JAX": jnp.full(4, -1e9),
    "NumPy": np.full(4, -1e9, np.float32),
    "computed": jnp.array(-1e9) * jnp.ones(4),
    "infinite": jnp.full(4, -jnp.inf),
}
HIDES = {
    "chosen": lambda y, fill: jnp.where(jnp.arange(4) > 1, y, fill).max(1),
    "joined": lambda y, fill: jnp.concatenate([y, jnp.asarray(fill)[None]]).max(0),
    "added": lambda y, fill: (y + fill * (jnp.arange(4) > 1)).max(1),
    "made there": lambda y, fill: jnp.where(jnp.arange(4) > 1, y, jnp.full(4, fill[0])).max(1),
    "subtracted": lambda y, fill: (y - 1e9 * (jnp.arange(4) > 1)).max(1),
    "written": lambda y, fill: y.at[:, 0].set(fill[0]).max(1),
}


@pytest.mark.parametrize("hide", HIDES)
@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("biases", [True, False])
def test_what_hides_elements_by_a_negative_number_is_refused(
    hide: str, fill: str, biases: bool
) -> None:
    def apply_fn(p: Any, x: jax.Array) -> jax.Array:
        return HIDES[hide](x @ p["w"], FILLS[fill])

    with pytest.raises(sf.NonHomogeneousError, match=r"fill in 0|to hide elements"):
        sf.flow(apply_fn, PARAMS, X, biases=biases)


def test_ordinary_constants_enter_in_absolute_value() -> None:
    assert_same_scores(
        lambda p, x: (x @ p["w"] - 123.68) * (-2.0) + jnp.array([-3.0, 0.0, 5.0, -1e3]),
        lambda p, x: (x @ p["w"] + 123.68) * 2.0 + jnp.array([3.0, 0.0, 5.0, 1e3]),
    )


@pytest.mark.parametrize("index", [4, 7, -5])
def test_an_index_outside_is_refused(index: int) -> None:
    with pytest.raises(sf.NonHomogeneousError, match="an index is outside"):
        sf.flow(lambda p, x: jnp.take(x @ p["w"], jnp.array([0, index]), axis=1), PARAMS, X)


def test_division_by_a_constant_zero_is_refused() -> None:
    with pytest.raises(sf.NonHomogeneousError, match="divides by 0"):
        sf.flow(lambda p, x: (x @ p["w"]) / jnp.array([1.0, 0.0, 1.0, 1.0]), PARAMS, X)


def test_a_branch_by_what_is_known_only_later_is_refused() -> None:
    def apply_fn(p: Any, x: jax.Array) -> jax.Array:
        return lax.cond(p["b"][0] > 0, lambda y: y, lambda y: 2 * y, x @ p["w"])

    with pytest.raises(sf.NonHomogeneousError, match=r"'cond' .* isn't known when tracing"):
        sf.flow(apply_fn, PARAMS, X)


def test_fourier_transforms_turn_the_flow_into_complex_numbers() -> None:
    with pytest.raises(sf.NonHomogeneousError, match="complex numbers"):
        sf.flow(lambda p, x: jnp.abs(jnp.fft.fft(x @ p["w"])), PARAMS, X)


def test_printing_changes_nothing() -> None:
    def apply_fn(p: Any, x: jax.Array) -> jax.Array:
        y = x @ p["w"]
        jax.debug.print("{}", y)
        return y

    assert_same_scores(apply_fn, lambda p, x: x @ p["w"])


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


# Narrow types.


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
@pytest.mark.parametrize("size", [1e-3, 1.0, 3e2])
def test_narrow_types_have_the_scores_of_float32(dtype: Any, size: float) -> None:
    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        for kernel in params:
            x = jax.nn.relu(x.astype(dtype) @ kernel)
        return x

    keys = jax.random.split(KEY, 8)
    params = [(size * jax.random.normal(key, (16, 16))).astype(dtype) for key in keys]
    inputs = jnp.ones((1, 16))
    mask = sf.full_mask(params)

    @jax.jit
    def scores_and_flow(params: Any) -> Any:
        scores = sf.synflow(apply_fn, inputs)(params, mask, None, None)
        return scores, sf.flow(apply_fn, params, inputs)

    found, found_flow = scores_and_flow(params)
    with jax.enable_x64(True):
        wide = [np.abs(np.asarray(leaf, np.float64)) for leaf in params]
        expected = np.ones((1, 16))
        for kernel in wide:
            expected = expected @ kernel
    rtol = 1e-5 if dtype == jnp.float16 else 0.05
    np.testing.assert_allclose(float(found_flow.log2), np.log2(expected.sum()), rtol=rtol)
    sums = [float(jnp.sum(leaf.astype(jnp.float32))) for leaf in found]
    np.testing.assert_allclose(sums, float(found_flow.mantissa), rtol=max(rtol, 1e-4))
    mask, history = sf.prune(sf.synflow(apply_fn, inputs), params, 4.0, rounds=2)
    assert history.kept[-1] == 512
    assert history.kept_by_layer[-1].min() > 0
    assert mask[0].shape == (16, 16)


def test_casts_to_float16_within_are_done_in_float32() -> None:
    def halved(p: Any, x: jax.Array) -> jax.Array:
        y = x.astype(jnp.float16) @ (300 * p["w"]).astype(jnp.float16)
        y = jnp.dot(y, p["w"].astype(jnp.float16), preferred_element_type=jnp.float16)
        return lax.scan(lambda c, w: (c @ w, None), y, jnp.stack([p["w"]] * 2).astype(jnp.float16))[
            0
        ]

    def linear(p: Any, x: jax.Array) -> jax.Array:
        return 300 * (x @ p["w"] @ p["w"] @ p["w"] @ p["w"])

    assert_same_scores(halved, linear)
