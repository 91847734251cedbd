"""Operations one by one, between two dense layers with dead units."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compact_checks import Case, check_same
from compact_networks import Numbers, relu
from jax import lax

import synflow_jax as sf

UNITS = 8
INDEX = np.random.default_rng(0).integers(0, 4, (2, 3, UNITS))


pytestmark = pytest.mark.usefixtures("others_promote", "wide")


def between(through: Callable[[jax.Array], jax.Array], dead: str = "rows") -> Case:
    """``through`` maps (2, 4, units) to (..., units), with dead units before it or after it."""
    n = Numbers(0)
    units = jax.eval_shape(through, jnp.ones((2, 4, UNITS))).shape[-1]
    params = {"a": n(5, UNITS), "b": n(units, 3)}
    before, after = np.ones((5, UNITS), bool), np.ones((units, 3), bool)
    if dead == "columns":
        before[:, [1, 4, 5]] = False
    else:
        after[[0, 2, 3]] = False
    mask = {"a": jax.device_put(before), "b": jax.device_put(after)}

    def apply_fn(params: Any, x: Any) -> Any:
        return through(relu(x @ params["a"])) @ params["b"]

    return Case(apply_fn, params, mask, n(2, 4, 5))


def written(x: jax.Array, write: str, *, start: int = 3) -> jax.Array:
    """Into an array of ones with more units."""
    whole = jnp.ones((*x.shape[:-1], 12))
    if write == "update":
        return lax.dynamic_update_slice_in_dim(whole, x, start, axis=-1)
    return getattr(whole.at[..., start : start + UNITS], write)(x)


def scattered(x: jax.Array) -> jax.Array:
    """Windows that don't move along the units and are narrower than they are."""
    numbers = lax.ScatterDimensionNumbers((0, 1), (1,), (1,))
    return lax.scatter_add(jnp.ones((2, 4, 12)), jnp.asarray([2]), x[:, 0], numbers)


def gathered(x: jax.Array) -> jax.Array:
    """The first six units of one position."""
    numbers = lax.GatherDimensionNumbers((0, 1), (1,), (1,))
    return lax.gather(x, jnp.asarray([2]), numbers, (2, 1, 6))


OPERATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "dynamic slice of units": lambda x: lax.dynamic_slice_in_dim(x, 2, 6, axis=-1),
    "dynamic slice of positions": lambda x: lax.dynamic_slice_in_dim(x, 1, 2, axis=1),
    "gathered windows": gathered,
    "scattered windows": scattered,
    **{
        f"written: {name}": lambda x, name=name: written(x, name)
        for name in ("update", "set", "add", "multiply", "max")
    },
    "positions written": lambda x: jnp.ones((2, 6, UNITS)).at[:, 1:5].set(x),
    "taken along positions": lambda x: jnp.take_along_axis(x, INDEX, axis=1),
    "taken along positions, clipped": lambda x: jnp.take_along_axis(x, INDEX, 1, mode="clip"),
    "taken along units": lambda x: jnp.take_along_axis(x, INDEX[:, :1], axis=2),
    "units in another order": lambda x: x[..., np.asarray([3, 1, 2, 0, 7, 6, 5, 4])],
    "units at random": lambda x: jnp.take(x, np.asarray([3, 1, 1, 0, 7]), axis=-1, mode="clip"),
    "reversed and strided": lambda x: x[..., ::-2],
    "sorted": lambda x: jnp.sort(x, -1),
    "sorted positions": lambda x: jnp.sort(x, 1),
    "largest": lambda x: lax.top_k(x, 5)[0],
    "cumulative": lambda x: jnp.cumsum(x, -1),
    "cumulative along positions": lambda x: jnp.cumsum(x, 1),
    "softmax": jax.nn.softmax,
    "logsumexp": lambda x: x - jax.nn.logsumexp(x, axis=-1, keepdims=True),
    "of the largest": lambda x: x * x.max(-1, keepdims=True),
    "mean kept": lambda x: x * jnp.tanh(x.mean((1, 2), keepdims=True)),
    "one hot": lambda x: x + jax.nn.one_hot(jnp.argmax(x, -1), UNITS),
    "product": lambda x: x + x.prod(-1, keepdims=True),
    "Fourier transformed positions": lambda x: jnp.fft.fft(x, axis=1).real,
    "resized": lambda x: jax.image.resize(x, (2, 8, UNITS), "linear"),
    "diagonal": lambda x: jnp.einsum("btc,cd,btd->btd", x, jnp.eye(UNITS), x),
    "triangular": lambda x: x @ jnp.tril(jnp.ones((UNITS, UNITS))),
    "distances": lambda x: jnp.square(x[..., :, None] - x[..., None, :]).sum(-1),
    "padded inside": lambda x: lax.pad(x, 0.0, [(0, 0, 0), (0, 0, 0), (1, 0, 1)]),
    "padded positions": lambda x: lax.pad(x, 0.0, [(0, 0, 0), (1, -1, 1), (0, 0, 0)]),
    "cropped": lambda x: lax.pad(x, 0.0, [(0, 0, 0), (0, 0, 0), (-2, 1, 0)]),
    "padded with ones": lambda x: jnp.pad(x, ((0, 0), (0, 0), (1, 2)), constant_values=1.0),
    "wrapped": lambda x: jnp.pad(x, ((0, 0), (0, 0), (1, 2)), mode="wrap"),
    "heads of one unit": lambda x: jnp.concatenate(
        [x.reshape(2, 4, UNITS, 1), -x.reshape(2, 4, UNITS, 1)], -1
    ).reshape(2, 4, -1),
    "single units": lambda x: jnp.stack([x[..., i] for i in (5, 2, 7, 1)], -1),
    "pooled over units": lambda x: lax.reduce_window(
        x, -jnp.inf, lax.max, (1, 1, 2), (1, 1, 2), "VALID"
    ),
    "mapped": lambda x: jax.vmap(lambda x: x * jnp.tanh(x.sum()), in_axes=-1, out_axes=-1)(x),
    "scanned units": lambda x: jnp.moveaxis(
        lax.scan(lambda s, u: (s + u, s * u), jnp.ones((2, 4)), jnp.moveaxis(x, -1, 0))[1], 0, -1
    ),
    "scanned positions": lambda x: lax.scan(
        lambda s, u: (jnp.tanh(s + u), s), jnp.zeros((2, UNITS)), x.swapaxes(0, 1)
    )[1],
    "associatively scanned positions": lambda x: lax.associative_scan(jnp.add, x, axis=1),
    "chosen by the mean": lambda x: lax.cond(x.mean() > 0, jnp.tanh, jnp.square, x),
    "repeated by a loop": lambda x: lax.fori_loop(0, 3, lambda i, x: x + i * jnp.tanh(x), x),
}


@pytest.mark.parametrize("dead", ["rows", "columns"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_between_dense_layers(name: str, dead: str) -> None:
    check_same(between(OPERATIONS[name], dead))


# Units that nothing leads into hold a constant: 0 now, and also after training?

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "abs": jnp.abs,
    "clip": lambda x: jnp.clip(x, 0, 1),
    "elu": jax.nn.elu,
    "gelu": jax.nn.gelu,
    "hard swish": jax.nn.hard_swish,
    "leaky relu": jax.nn.leaky_relu,
    "maximum": lambda x: jnp.maximum(x, 0),
    "minimum": lambda x: -jnp.minimum(x, 0),
    "relu": relu,
    "relu6": jax.nn.relu6,
    "rounded": lambda x: x * lax.round(x),
    "rounded away": lambda x: lax.round(x) + 0 * x,
    "sine": jnp.sin,
    "softplus": jax.nn.softplus,
    "square": jnp.square,
    "still": lambda x: x - lax.stop_gradient(x),
    "straight through": lambda x: x + lax.stop_gradient(jnp.sign(x) - x),
    "tanh": jnp.tanh,
    "chosen": lambda x: jnp.where(x > 0.2, x, 0),
}
BIASES = {
    "each": (lambda c: c.reshape(1, 1, -1), (UNITS,)),
    "scalar": (lambda c: c, ()),
    "of all": (lambda c: c.mean(), (UNITS,)),
    "shared by heads": (lambda c: jnp.tile(c, 2).reshape(1, 1, -1), (UNITS // 2,)),
    "broadcast to heads": (
        lambda c: jnp.broadcast_to(c, (2, UNITS // 2)).reshape(1, 1, -1),
        (UNITS // 2,),
    ),
    "squared": (lambda c: jnp.square(c) - 0.04, ()),
}


@pytest.mark.parametrize(
    ("name", "bias"),
    [
        *((name, "each") for name in ACTIVATIONS),
        *(("relu", bias) for bias in BIASES if bias != "each"),
        *(
            pytest.param(name, bias, marks=pytest.mark.slow)
            for name in ("maximum", "square", "rounded away", "chosen")
            for bias in BIASES
            if bias != "each"
        ),
    ],
)
def test_constants_train_alike(name: str, bias: str) -> None:
    """Removed units have no gradient, wherever what is left goes."""
    n = Numbers(0)
    act, (spread, shape) = ACTIVATIONS[name], BIASES[bias]
    dead = np.ones((5, UNITS), bool)
    dead[:, [0, 1, 2, 3, 6]] = False
    mask = {"a": jax.device_put(dead), "b": jnp.ones((UNITS, 3), bool), "c": jnp.asarray(True)}
    kept, x = {"a": n(5, UNITS), "b": n(UNITS, 3)}, n(2, 4, 5)

    def apply_fn(params: Any, x: Any) -> Any:
        return act(x @ params["a"] + spread(params["c"])) @ params["b"]

    for value in (0.0, 0.5, -0.2):
        params = kept | {"c": jnp.full(shape, value)}
        check_same(Case(apply_fn, params, mask, x), sf.compact(apply_fn, params, mask, x))
