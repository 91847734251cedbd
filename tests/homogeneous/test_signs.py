"""Constants and params before they meet the flow: what is known of them, and what is refused."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from square_network import PARAMS, X, assert_same_scores

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")
CENTERED = jnp.eye(4) - 1 / 4


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
