"""Equal slices held once change nothing but the work."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import synflow_jax as sf
from synflow_jax.homogeneous.convolution import convolve
from synflow_jax.homogeneous.repeats import Repeats, common, finer, held_once, picked, whole

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def conv(x: jax.Array, kernel: jax.Array, **options: Any) -> jax.Array:
    options = {"window_strides": (1, 1), "padding": "SAME"} | options
    return lax.conv_general_dilated(x, kernel, dimension_numbers=DIMENSIONS, **options)


def plain(params: list[jax.Array], x: jax.Array) -> jax.Array:
    return conv(jax.nn.relu(conv(x, params[0])), params[1])


def strided(params: list[jax.Array], x: jax.Array) -> jax.Array:
    return conv(conv(x, params[0], window_strides=(2, 1)), params[1], rhs_dilation=(2, 3))


def uneven(params: list[jax.Array], x: jax.Array) -> jax.Array:
    return conv(conv(x, params[0], padding=((0, 3), (2, 0))), params[1], padding="VALID")


def transposed(params: list[jax.Array], x: jax.Array) -> jax.Array:
    return conv(conv(x, params[0]), params[1], lhs_dilation=(2, 2), padding=((1, 2), (1, 2)))


def max_pooled(params: list[jax.Array], x: jax.Array) -> jax.Array:
    x = conv(x, params[0])
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 2, 1), (1, 2, 2, 1), "SAME")
    return conv(x, params[1])


def mean_pooled(params: list[jax.Array], x: jax.Array) -> jax.Array:
    x = conv(x, params[0])
    x = lax.reduce_window(x, 0.0, lax.add, (1, 2, 3, 1), (1, 1, 2, 1), "SAME") / 6
    return jnp.mean(conv(x, params[1]), axis=(1, 2))


def residual(params: list[jax.Array], x: jax.Array) -> jax.Array:
    x = conv(x, params[0])
    return jax.nn.relu(
        x + jax.jit(conv)(conv(x, params[1]), params[1]) / 2 + params[2].reshape(1, 1, 1, 4)
    )


def by_place(params: list[jax.Array], x: jax.Array) -> jax.Array:
    places = jnp.arange(x.shape[1], dtype=x.dtype)[None, :, None, None]
    return conv(conv(x, params[0]) * (places + 1), params[1]) + places


def flattened(params: list[jax.Array], x: jax.Array) -> jax.Array:
    x = conv(x, params[0]).reshape(x.shape[0], -1)
    return x @ jnp.broadcast_to(params[2], (x.shape[1], 4))


def scanned(params: list[jax.Array], x: jax.Array) -> jax.Array:
    kernels = jnp.stack([params[1], 2 * params[1]])
    return lax.scan(lambda x, kernel: (conv(x, kernel), None), conv(x, params[0]), kernels)[0]


def joined(params: list[jax.Array], x: jax.Array) -> jax.Array:
    x = conv(x, params[0])
    return jnp.concatenate([conv(x, params[1]), x[:, ::-1], jnp.pad(x, [(0, 0)] * 3 + [(1, 1)])], 3)


NETWORKS = (
    plain,
    strided,
    uneven,
    transposed,
    max_pooled,
    mean_pooled,
    residual,
    by_place,
    flattened,
    scanned,
    joined,
)
ONES = np.ones((1, 11, 12, 3))
FRAMED = np.pad(np.random.default_rng(0).random((1, 3, 4, 3)), ((0, 0), (5, 3), (4, 4), (0, 0)))
TWO = np.stack([np.ones((9, 8, 3)), np.full((9, 8, 3), 0.5)])


@pytest.mark.parametrize("inputs", [ONES, FRAMED, TWO], ids=["ones", "framed", "batch of two"])
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_same_scores_as_of_inputs_not_known_when_tracing(
    network: Callable[..., jax.Array], inputs: np.ndarray
) -> None:
    with jax.enable_x64(True):
        rng = np.random.default_rng(1)
        params = [jnp.asarray(rng.normal(size=s)) for s in ((3, 3, 3, 4), (3, 3, 4, 4), (4,))]

        def scores(inputs: Any) -> list[jax.Array]:
            mask = jax.tree.map(lambda _: jnp.array(True), params)
            return sf.synflow(network, inputs)(params, mask, None, None)

        both = jax.jit(lambda later: (scores(inputs), scores(later)))(inputs)
        for known, unknown in zip(*both, strict=True):
            np.testing.assert_allclose(known, unknown, rtol=1e-12, atol=1e-12 * known.max())


def test_same_scores_where_more_is_held_than_differs() -> None:
    """Sizes of 7, 15, 23 and all, narrow and wide layers, odd and even strides, and a sum."""

    def network(params: list[jax.Array], x: jax.Array) -> jax.Array:
        for _ in range(5):
            x = conv(x, params[0])
        x = conv(x, params[1]) + x @ params[1].sum((0, 1))  # wide
        x = conv(x, params[2], window_strides=(2, 3))
        for _ in range(9):
            x = conv(x, params[0])
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")

    shapes = (3, 3, 3, 3), (3, 3, 3, 450), (3, 3, 450, 3)
    with jax.enable_x64(True):
        rng = np.random.default_rng(1)
        params = [jnp.asarray(rng.normal(size=shape)) for shape in shapes]
        inputs = np.ones((1, 61, 64, 3))
        mask = [jnp.array(True)] * 3
        known = jax.jit(lambda: sf.synflow(network, inputs)(params, mask, None, None))()
        unknown = jax.jit(lambda x: sf.synflow(network, x)(params, mask, None, None))(inputs)
    for a, b in zip(known, unknown, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11)


def test_windows_of_ones_are_multiplied_once() -> None:
    images, origins = held_once(np.ones((1, 32, 32, 3), np.float32))
    assert images.shape == (1, 1, 1, 1)
    kernel = jnp.ones((3, 3, 3, 4))
    jaxpr = jax.make_jaxpr(lambda x, kernel: conv(x, kernel))(jnp.ones((1, 32, 32, 3)), kernel)
    result, origins = convolve(jaxpr.eqns[0].params, jnp.asarray(images), kernel, origins)
    assert result.shape == (1, 7, 7, 4)
    along = Repeats((0, *[1] * 30, 2), (0, 1, 2, *[3] * 26, 4, 5, 6))
    assert origins == (None, along, along, None)
    np.testing.assert_array_equal(
        whole(result, origins), conv(jnp.ones((1, 32, 32, 3)), kernel, padding="SAME")
    )


def held_after_each(size: int, width: int, count: int) -> tuple[list[int], int]:
    """The rows held after each of several convolutions of ones, and how many are compiled."""
    kernel = np.ones((3, 3, width, width), np.float32)
    jaxpr = jax.make_jaxpr(conv)(jnp.ones((1, size, size, width)), kernel)
    x, origins = held_once(np.ones((1, size, size, width), np.float32))
    rows, programs = [], set()
    for _ in range(count):
        call = partial(convolve, jaxpr.eqns[0].params, kernel=kernel, origins=origins)
        program = jax.make_jaxpr(lambda x, call=call: call(x)[0])(x)
        programs.add(str(program))
        x, origins = call(x)
        rows.append(x.shape[1])
    return rows, len(programs)


def test_small_convolutions_in_a_row_are_one_program() -> None:
    rows, programs = held_after_each(32, 4, 9)
    assert rows == [7] * 3 + [15] * 4 + [23] * 2
    assert programs == 6  # two for each size: into it and within it


def test_large_convolutions_hold_no_more_than_differs() -> None:
    rows, _ = held_after_each(32, 160, 4)
    assert rows == [3, 5, 7, 9]


def test_the_first_of_equal_elements_has_the_gradient_of_a_maximum() -> None:
    # Rows 0 and 1 of the kernel make columns of equal value out of different weights.
    kernel = jnp.array([1.0, 2.0, 1.0]).reshape(1, 3, 1, 1)

    def network(params: list[jax.Array], x: jax.Array) -> jax.Array:
        x = conv(x, params[0])
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 8, 1), (1, 1, 8, 1), "VALID")

    inputs = np.ones((1, 1, 8, 1), np.float32)
    known = sf.synflow(network, inputs)
    mask = [jnp.array(True)]
    unknown = jax.jit(lambda x: sf.synflow(network, x)([kernel], mask, None, None))(inputs)
    np.testing.assert_array_equal(known([kernel], mask, None, None)[0], unknown[0])


def test_slices_of_two_origins_in_common() -> None:
    x = np.array([1.0, 1, 2, 2, 3, 3, 3]), np.array([5.0, 6, 6, 6, 7, 7, 7])
    (held, origins), (others, other_origins) = (held_once(each) for each in x)
    both = common(origins, other_origins)
    assert both == (Repeats((0, 1, 2, 2, 3, 3, 3), (0, 1, 2, 2, 3, 3, 3)),)
    for each, part, origin in ((x[0], held, origins), (x[1], others, other_origins)):
        in_common = finer(jnp.asarray(part), origin, both)
        np.testing.assert_array_equal(whole(in_common, both), each)
    assert common(origins, (None,)) == (None,)
    np.testing.assert_array_equal(finer(jnp.asarray(held), origins, (None,)), x[0])


def test_gradient_of_picked_slices_adds_up() -> None:
    index = np.array([2, 0, 2, -1])
    x, weight = jnp.arange(6.0).reshape(2, 3), jnp.arange(1.0, 9).reshape(2, 4)
    picked_x, gradient = jax.value_and_grad(lambda x: jnp.sum(picked(x, 1, index) * weight))(x)
    assert picked_x == 2 * 1 + 0 * 2 + 2 * 3 + 5 * 5 + 3 * 6 + 5 * 7
    np.testing.assert_array_equal(gradient, [[2, 0, 4], [6, 0, 12]])
