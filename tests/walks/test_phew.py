"""Walks: exact counts, whole paths, visits against analytic ones, and what can't be followed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax
from networks import SIZES, dense_apply, dense_params
from scipy import stats

import synflow_jax as sf
from synflow_jax import wiring
from synflow_jax.walks.graph import Graph, live
from synflow_jax.walks.reading import graph_of
from synflow_jax.walks.values import NONE, Still
from synflow_jax.walks.walking import chances, walked, ways

KEY = jax.random.key(0)


def drawn(**shapes: tuple[int, ...]) -> dict[str, jax.Array]:
    keys = jax.random.split(jax.random.key(1), len(shapes))
    pairs = zip(shapes.items(), keys, strict=True)
    return {name: jax.random.normal(key, shape) for (name, shape), key in pairs}


def conv(x: jax.Array, kernel: jax.Array, stride: int = 1, groups: int = 1) -> jax.Array:
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def residual(p: Any, x: jax.Array) -> jax.Array:
    """A projection, an identity, a shortcut padded with zeros, BatchNorm, and pooling."""
    x = jax.nn.relu(conv(x, p["stem"]))
    y = conv(jax.nn.relu(conv(x, p["a"])), p["b"])
    x = jax.nn.relu(x + (y - 0.1) * p["scale"].reshape(1, 1, 1, -1))
    y = conv(x, p["c"], stride=2)
    short = jnp.pad(x[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (1, 1)])
    x = jnp.maximum(y + short, 0.0) + conv(x, p["project"], stride=2)
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return x.mean((1, 2)) @ p["head"]


def dense_blocks(p: Any, x: jax.Array) -> jax.Array:
    """Each layer reads all before it; the last one each pixel of them."""
    for name in ("a", "b"):
        x = jnp.concatenate([x, jax.nn.silu(conv(x, p[name]))], axis=-1)
    return x.reshape(x.shape[0], -1) @ p["head"] + p["bias"]


def separable(p: Any, x: jax.Array) -> jax.Array:
    """Depthwise and grouped convolutions, a transposed kernel, and one with a constant."""
    x = conv(x, p["stem"])
    x = jnp.where(x > 0, x, 0)
    x = jax.nn.relu6(conv(x, p["depth"], groups=4))
    x = jax.nn.gelu(conv(x, p["groups"], groups=2))
    return jnp.einsum("nhwc,oc->no", x, 0.5 * p["head"])


def remembered(p: Any, x: jax.Array) -> jax.Array:
    """One kernel used twice under a checkpoint, and one that isn't pruned, beside each other."""
    block = jax.checkpoint(lambda x: jax.nn.relu(x @ p["shared"]))
    return block(block(x @ p["first"])) @ p["last"]


def two_outputs(p: Any, x: Any) -> dict[str, jax.Array]:
    hidden = jax.nn.relu(x["left"] @ p["left"] + x["right"] @ p["right"])
    return {"early": hidden @ p["early"], "late": jax.nn.relu(hidden @ p["late"]) @ p["last"]}


IMAGE = jnp.ones((1, 8, 8, 3))
NETWORKS: dict[str, tuple[Any, Any, Any]] = {
    "dense": (dense_apply, dense_params(biases=True), jnp.ones((1, SIZES[0]))),
    "residual": (
        residual,
        drawn(
            stem=(3, 3, 3, 4),
            a=(3, 3, 4, 4),
            b=(3, 3, 4, 4),
            scale=(4,),
            c=(3, 3, 4, 6),
            project=(1, 1, 4, 6),
            head=(6, 5),
        ),
        IMAGE,
    ),
    "dense blocks": (
        dense_blocks,
        drawn(a=(3, 3, 3, 2), b=(3, 3, 5, 2), head=(64 * 7, 5), bias=(5,)),
        jnp.ones((2, 8, 8, 3)),
    ),
    "separable": (
        separable,
        drawn(stem=(3, 3, 3, 4), depth=(3, 3, 1, 4), groups=(3, 3, 2, 6), head=(5, 6)),
        IMAGE,
    ),
    "remembered": (remembered, drawn(first=(4, 6), shared=(6, 6), last=(6, 3)), jnp.ones((1, 4))),
    "two outputs": (
        two_outputs,
        drawn(left=(3, 6), right=(2, 6), early=(6, 2), late=(6, 4), last=(4, 3)),
        {"left": jnp.ones((1, 3)), "right": jnp.ones((1, 2))},
    ),
}


@pytest.mark.usefixtures("others_promote")
@pytest.mark.parametrize("compression", [1.0, 1.3, 4.0, 12.0])
@pytest.mark.parametrize("name", NETWORKS)
def test_counts_are_exact_and_every_weight_is_on_a_path(name: str, compression: float) -> None:
    apply_fn, params, inputs = NETWORKS[name]
    mask = sf.phew(apply_fn, params, compression, KEY, inputs)
    size = sum(leaf.size for leaf in jax.tree.leaves(params) if leaf.ndim > 1)
    kept = sum(int(leaf.sum()) for leaf in jax.tree.leaves(mask) if leaf.ndim)
    assert kept == size - np.floor((1 - 1 / compression) * size)
    used = sf.effective(apply_fn, params, mask, inputs, by="topology")
    for own, effective, weights in zip(*map(jax.tree.leaves, (mask, used, params)), strict=True):
        np.testing.assert_array_equal(own, effective)
        assert own.shape == (weights.shape if weights.ndim > 1 else ())


@pytest.mark.usefixtures("others_promote")
def test_a_network_of_the_zoo() -> None:
    model = sf.models.create(
        "lottery/resnet20", num_classes=10, input_shape=(32, 32, 3), rngs=nnx.Rngs(0)
    )
    apply_fn, params = sf.from_nnx(model)
    inputs = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    mask = sf.phew(apply_fn, params, 100.0, KEY, inputs)
    assert sf.density(mask, params) == pytest.approx(0.01, rel=1e-3)
    used = sf.effective(apply_fn, params, mask, inputs, by="topology")
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), mask, used)))
    assert not sf.layer_table(mask, params).collapsed


def test_equal_keys_give_equal_masks() -> None:
    apply_fn, params, inputs = NETWORKS["residual"]
    masks = [
        sf.phew(apply_fn, params, 4.0, key, inputs)
        for key in (KEY, jax.random.key(0), jax.random.key(2), jax.random.PRNGKey(0))
    ]
    flat = [np.concatenate([np.ravel(x) for x in jax.tree.leaves(m)]) for m in masks]
    np.testing.assert_array_equal(flat[0], flat[1])
    np.testing.assert_array_equal(flat[0], flat[3])
    assert (flat[0] != flat[2]).any()


def graph(name: str) -> Graph:
    """With all weights of two axes and more, numbered one after the other."""
    apply_fn, params, inputs = NETWORKS[name]
    leaves, start, values = jax.tree.leaves(params), 0, []
    for leaf in leaves:
        numbers = start + np.arange(leaf.size, dtype=np.int32).reshape(leaf.shape)
        values.append(Still(leaf, numbers if leaf.ndim > 1 else None))
        start += leaf.size if leaf.ndim > 1 else 0
    return live(graph_of(wiring.traced(apply_fn, params, inputs), values))


def visits_by_hand(kernels: list[np.ndarray]) -> list[np.ndarray]:
    """How often a walk passes each weight: from the first layer on, from the last one back."""

    def onward(own: list[np.ndarray]) -> list[np.ndarray]:
        arriving, found = np.full(len(own[0]), 1 / len(own[0])), []
        for kernel in own:
            sizes = np.abs(kernel)
            found.append(arriving[:, None] * sizes / sizes.sum(1, keepdims=True))
            arriving = found[-1].sum(0)
        return found

    back = [own.T for own in onward([kernel.T for kernel in kernels[::-1]])[::-1]]
    return [*onward(kernels), *back]


def check_frequencies(counts: np.ndarray, expected: np.ndarray) -> None:
    """Pearson's chi-squared, with what is expected less than 5 times put together."""
    counts, expected = counts.ravel(), expected.ravel() * counts.sum()
    rare = expected < 5
    if rare.any():
        counts = np.append(counts[~rare], counts[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert stats.chi2.sf(statistic, len(counts) - 1) > 1e-3


def test_visits_are_as_frequent_as_they_should_be() -> None:
    own, kernels = graph("dense"), [np.asarray(leaf["kernel"]) for leaf in dense_params().values()]
    by_hand = visits_by_hand(kernels)
    rng = np.random.default_rng(0)
    for way, expected in zip(ways(own, rng), (by_hand[:3], by_hand[3:]), strict=True):
        number = 30_000
        paths = walked(way, way.seeds[np.arange(number) % len(way.seeds)], rng)
        assert paths.shape == (number, 3)
        assert (paths != NONE).all()
        weights = own.edges.weights[paths]
        counts = np.bincount(weights.ravel(), minlength=sum(k.size for k in kernels))
        parts = np.split(counts, np.cumsum([k.size for k in kernels])[:-1])
        for part, chance in zip(parts, expected, strict=True):
            assert part.sum() == number
            check_frequencies(part, chance)


def test_chances_by_hand() -> None:
    own, kernels = graph("dense"), [np.asarray(leaf["kernel"]) for leaf in dense_params().values()]
    by_hand = visits_by_hand(kernels)
    expected = [(a + b) / 2 for a, b in zip(by_hand[:3], by_hand[3:], strict=True)]
    found = np.zeros(sum(k.size for k in kernels))
    np.add.at(found, own.edges.weights, chances(own))
    np.testing.assert_allclose(found, np.concatenate([e.ravel() for e in expected]), rtol=1e-6)


def test_chances_add_up_over_branches() -> None:
    """Walks pass each product as often in both directions as its units are on the way."""
    own, rng = graph("residual"), np.random.default_rng(3)
    expected, number = chances(own), 20_000
    counts = np.zeros(len(expected))
    for way in ways(own, rng):
        paths = walked(way, way.seeds[np.arange(number) % len(way.seeds)], rng)
        counts += np.bincount(paths[paths != NONE], minlength=len(expected))
    check_frequencies(counts, expected / expected.sum())


def test_the_first_walk_by_its_frequencies() -> None:
    """Masks of as many weights as a path has are those of a walk from a random input."""
    params = {"a": jnp.array([[1.0, -2.0], [3.0, 1.0]]), "b": jnp.array([[1.0, 1.0], [-4.0, 1.0]])}

    def apply_fn(p: Any, x: jax.Array) -> jax.Array:
        return jax.nn.relu(x @ p["a"]) @ p["b"]

    counts = {"a": np.zeros((2, 2)), "b": np.zeros((2, 2))}
    for seed in range(300):
        mask = sf.phew(apply_fn, params, 4.0, jax.random.key(seed), jnp.ones((1, 2)))
        for name in "ab":
            counts[name] += np.asarray(mask[name])
    expected = visits_by_hand([np.asarray(params["a"]), np.asarray(params["b"])])
    check_frequencies(counts["a"], expected[0])
    check_frequencies(counts["b"], expected[1])


def test_large_weights_are_kept_and_zeros_never() -> None:
    apply_fn, params, inputs = NETWORKS["dense"]
    zeros = jax.tree.map(lambda w: jnp.where(jnp.abs(w) < 0.5, 0, w), params)
    alive = sum(int((leaf != 0).sum()) for leaf in jax.tree.leaves(zeros) if leaf.ndim > 1)
    mask = sf.phew(apply_fn, zeros, 62 / alive, KEY, inputs)
    for own, weights in zip(jax.tree.leaves(mask), jax.tree.leaves(zeros), strict=True):
        if weights.ndim > 1:
            np.testing.assert_array_equal(own, weights != 0)
    with pytest.raises(ValueError, match=f"only {alive} aren't 0"):
        sf.phew(apply_fn, zeros, 62 / (alive + 1), KEY, inputs)


def test_what_is_not_prunable_is_passed_and_not_counted() -> None:
    apply_fn, params, inputs = NETWORKS["dense"]
    mask = sf.phew(
        apply_fn, params, 5.0, KEY, inputs, prunable=lambda name, leaf: "dense1/kernel" in name
    )
    assert int(mask["dense1"]["kernel"].sum()) == 4
    assert all(mask[name]["kernel"].shape == () for name in ("dense0", "dense2"))


def normalized(p: Any, x: jax.Array) -> jax.Array:
    x = x @ p["a"]
    return (x - x.mean(-1, keepdims=True)) @ p["b"]


def gated(p: Any, x: jax.Array) -> jax.Array:
    return (x @ p["a"]) * (x @ p["b"])


def attentive(p: Any, x: jax.Array) -> jax.Array:
    return (x @ p["a"]).T @ (x @ p["b"])


def looped(p: Any, x: jax.Array) -> jax.Array:
    return lax.scan(lambda x, w: (jax.nn.relu(x @ w), None), x, p["a"].reshape(1, 4, 4))[0] @ p["b"]


def embedded(p: Any, x: jax.Array) -> jax.Array:
    return p["a"][jnp.argmax(x, -1)] @ p["b"]


REFUSED = {
    "reduce_sum": (normalized, "it takes several units together"),
    "mul": (gated, "it combines different units"),
    "dot_general": (attentive, "both of its sides depend on the inputs"),
    "scan": (looped, "which units go through it isn't known"),
    "argmax": (embedded, "which units go through it isn't known"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_followed_is_named_with_its_line(name: str) -> None:
    apply_fn, words = REFUSED[name]
    params = drawn(a=(4, 4), b=(4, 4))
    with pytest.raises(ValueError, match=rf"'{name}' at .*test_phew.py:\d+ \(\w+\): {words}"):
        sf.phew(apply_fn, params, 2.0, KEY, jnp.ones((1, 4)))


BAD_CALLS: dict[str, tuple[Any, type[Exception], str]] = {
    "compression": ({"compression": 0.5}, ValueError, "compression=0.5"),
    "key": ({"key": None}, ValueError, "pass key=jax.random.key"),
    "no key": ({"key": 3}, TypeError, "key must be one JAX key"),
    "inputs": ({"inputs": jnp.ones((1, 5))}, ValueError, "apply_fn.* failed on data"),
    "too few": ({"compression": 40.0}, ValueError, "paths have more; pass a lower compression"),
    "apply_fn": ({"apply_fn": None}, TypeError, "apply_fn must be a function"),
    "infinite": (
        {"params": jax.tree.map(lambda w: w / 0, dense_params())},
        ValueError,
        "'dense0/kernel' isn't finite",
    ),
    "no kernel": (
        {
            "apply_fn": lambda p, x: dense_apply({k: p[k] for k in ("dense0",)}, x) + p["table"],
            "params": {"dense0": dense_params()["dense0"], "table": jnp.ones((1, 5))},
        },
        ValueError,
        "'table' isn't the kernel of a dense or convolutional layer",
    ),
    "constant": ({"apply_fn": lambda p, x: p["dense0"]["kernel"]}, ValueError, "no paths"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_calls(name: str) -> None:
    options, error, words = BAD_CALLS[name]
    given = {
        "apply_fn": dense_apply,
        "params": dense_params(),
        "compression": 2.0,
        "key": KEY,
        "inputs": jnp.ones((1, SIZES[0])),
        **options,
    }
    with pytest.raises(error, match=words):
        sf.phew(**given)


def test_it_is_called_outside_of_jit() -> None:
    apply_fn, params, inputs = NETWORKS["dense"]
    with pytest.raises(TypeError, match="call this outside"):
        jax.jit(lambda p: sf.phew(apply_fn, p, 2.0, KEY, inputs))(params)
