"""What every score function has in common, each against NumPy by hand, and conservation."""

import itertools
from functools import cache
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import METHODS, all_score_fns, dense_apply, dense_batch, dense_params

import synflow_jax as sf

KEY = jax.random.key(3)


# Layers of one shape: what isn't compiled as a whole compiles each operation on it once.
SQUARE = (4, 4, 4)


@cache
def square_score_fn(method: str) -> Any:
    """To call in float64; one program for several tests."""
    return jax.jit(all_score_fns(inputs=jnp.ones((1, 4)))[method])


def square_params(seed: int = 0) -> Any:
    return dense_params(seed, biases=True, dtype=jnp.float64, sizes=SQUARE)


@pytest.mark.parametrize("method", METHODS)
def test_structure_kept(method: str) -> None:
    params = dense_params(biases=True)
    mask = sf.full_mask(params)
    scores = jax.eval_shape(all_score_fns()[method], params, mask, dense_batch(), KEY)
    chex.assert_trees_all_equal_shapes_and_dtypes(scores, params)


@pytest.mark.parametrize("method", METHODS)
def test_jit_equals_no_jit(method: str) -> None:
    with jax.enable_x64(True):
        params, batch = square_params(), dense_batch(jnp.float64, sizes=SQUARE)
        score_fn, mask = square_score_fn(method), sf.full_mask(params)
        plain = score_fn.__wrapped__(params, mask, batch, KEY)
        jitted = score_fn(params, mask, batch, KEY)
        chex.assert_trees_all_close(jitted, plain, rtol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_vmap_equals_loop(method: str) -> None:
    with jax.enable_x64(True):
        seeds = [square_params(seed) for seed in (0, 1)]
        mask, batch = sf.full_mask(seeds[0]), dense_batch(jnp.float64, sizes=SQUARE)
        score_fn = square_score_fn(method)
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *seeds)
        batched = jax.vmap(score_fn, (0, None, None, None))(stacked, mask, batch, KEY)
        loop = [score_fn(params, mask, batch, KEY) for params in seeds]
        expected = jax.tree.map(lambda *leaves: jnp.stack(leaves), *loop)
        chex.assert_trees_all_close(batched, expected, rtol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_pruned_weights_dont_matter(method: str) -> None:
    params = dense_params()
    score_fn = jax.jit(all_score_fns()[method])
    mask, _ = sf.prune(sf.magnitude(), params, 2.0, rounds=1)
    junk = jax.tree.map(lambda m, p: jnp.where(m, p, 1e3), mask, params)
    kept = jax.tree.map(
        lambda m, s: jnp.where(m, s, 0), mask, score_fn(params, mask, dense_batch(), KEY)
    )
    other = jax.tree.map(
        lambda m, s: jnp.where(m, s, 0), mask, score_fn(junk, mask, dense_batch(), KEY)
    )
    chex.assert_trees_all_equal(kept, other)


# A network x -> relu(x A) B by hand.
A = np.array([[1.0, -2.0, 0.5], [-0.5, 1.5, 2.0]])
B = np.array([[2.0, -1.0], [0.5, 1.0], [-3.0, 0.25]])
X = np.array([[1.0, -1.0], [0.5, 2.0], [-2.0, 1.0], [0.3, 0.1]])
LABELS = np.array([0, 1, 1, 0])


def two_layers(params: Any, x: Any) -> Any:
    return jax.nn.relu(x @ params["a"]) @ params["b"]


def by_hand_synflow() -> dict[str, np.ndarray]:
    first, second, ones = np.abs(A), np.abs(B), np.ones(2)
    flow_in, flow_out = ones @ first, second @ np.ones(2)
    return {"a": first * np.outer(ones, flow_out), "b": second * np.outer(flow_in, np.ones(2))}


def by_hand_gradient(a: np.ndarray, b: np.ndarray, temperature: float) -> dict[str, np.ndarray]:
    hidden = X @ a
    logits = np.maximum(hidden, 0) @ b / temperature
    exp = np.exp(logits - logits.max(1, keepdims=True))
    error = exp / exp.sum(1, keepdims=True)
    error[np.arange(len(X)), LABELS] -= 1
    error /= len(X) * temperature
    return {
        "a": X.T @ ((error @ b.T) * (hidden > 0)),
        "b": np.maximum(hidden, 0).T @ error,
    }


def by_hand_snip() -> dict[str, np.ndarray]:
    gradient = by_hand_gradient(A, B, 1.0)
    return {"a": np.abs(A * gradient["a"]), "b": np.abs(B * gradient["b"])}


def by_hand_grasp() -> dict[str, np.ndarray]:
    # The Hessian times the gradient as a central difference of gradients.
    g, step = by_hand_gradient(A, B, 200.0), 1e-3
    ahead = by_hand_gradient(A + step * g["a"], B + step * g["b"], 200.0)
    behind = by_hand_gradient(A - step * g["a"], B - step * g["b"], 200.0)
    product = {name: (ahead[name] - behind[name]) / (2 * step) for name in g}
    return {"a": A * product["a"], "b": B * product["b"]}


def by_hand_fisher() -> dict[str, np.ndarray]:
    total = {"a": np.zeros(A.shape), "b": np.zeros(B.shape)}
    for i in range(len(X)):
        hidden = X[i] @ A
        exp = np.exp(np.maximum(hidden, 0) @ B)
        error = exp / exp.sum() - np.eye(2)[LABELS[i]]
        total["a"] += np.outer(X[i], (B @ error) * (hidden > 0)) ** 2 / len(X)
        total["b"] += np.outer(np.maximum(hidden, 0), error) ** 2 / len(X)
    return {"a": A**2 * total["a"], "b": B**2 * total["b"]}


def by_hand_lamp() -> dict[str, np.ndarray]:
    # Two pairs of A's weights are of one size; the first of a pair counts as the larger.
    found = {}
    for name, own in {"a": A, "b": B}.items():
        squares, scores = (own**2).reshape(-1), []
        for i, square in enumerate(squares):
            larger = (squares > square) | ((squares == square) & (np.arange(len(squares)) <= i))
            scores.append(square / squares[larger].sum())
        found[name] = np.reshape(scores, own.shape)
    return found


BY_HAND = {
    "fisher": by_hand_fisher,
    "synflow": by_hand_synflow,
    "snip": by_hand_snip,
    "grasp": by_hand_grasp,
    "lamp": by_hand_lamp,
    "magnitude": lambda: {"a": np.abs(A), "b": np.abs(B)},
}


@pytest.mark.parametrize("method", sorted(BY_HAND))
def test_by_hand(method: str) -> None:
    with jax.enable_x64(True):
        params = {"a": jnp.asarray(A), "b": jnp.asarray(B)}
        score_fn = jax.jit(all_score_fns(two_layers, jnp.ones((1, 2)))[method])
        batch = (jnp.asarray(X), jnp.asarray(LABELS))
        scores = score_fn(params, sf.full_mask(params), batch, KEY)
        power = 0
        if method == "synflow":
            power = int(sf.flow(two_layers, params, jnp.ones((1, 2))).exponent)
        for name, expected in BY_HAND[method]().items():
            tolerance = 1e-7 * np.abs(expected).max()
            np.testing.assert_allclose(np.ldexp(scores[name], power), expected, atol=tolerance)


def test_random_scores_are_uniform_and_independent() -> None:
    params = {"a": jnp.zeros((300, 100), jnp.bfloat16), "b": jnp.zeros((300, 100))}
    scores = sf.random()(params, sf.full_mask(params), None, KEY)
    a, b = np.asarray(scores["a"]).ravel(), np.asarray(scores["b"]).ravel()
    for leaf in (a, b):
        assert abs(leaf.mean() - 0.5) < 5 / np.sqrt(12 * leaf.size)
        assert abs(leaf.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / leaf.size)
        assert len(np.unique(leaf)) > 0.99 * leaf.size
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(a.size)


def layer_sums(scores: Any) -> np.ndarray:
    return np.array([float(jnp.sum(leaf)) for leaf in jax.tree.leaves(scores)])


def unit_sums(scores: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Scores in and out of each hidden unit, layer by layer."""
    kernels = [np.asarray(leaf) for leaf in jax.tree.leaves(scores)]
    return [(a.sum(0), b.sum(1)) for a, b in itertools.pairwise(kernels)]


@pytest.mark.parametrize(("method", "power"), [("synflow", 1), ("synflow_squared", 2)])
def test_synflow_is_conserved(method: str, power: int) -> None:
    with jax.enable_x64(True):
        params = dense_params(dtype=jnp.float64)
        scores = all_score_fns()[method](params, sf.full_mask(params), None, None)
        sizes = jax.tree.map(lambda w: jnp.abs(w) ** power, params)
        flow = sf.flow(dense_apply, sizes, jnp.ones((1, 6)))
        plain = jnp.sum(dense_apply(sizes, jnp.ones((1, 6))))
        np.testing.assert_allclose(np.ldexp(flow.mantissa, flow.exponent), plain, rtol=1e-12)
        np.testing.assert_allclose(layer_sums(scores), float(flow.mantissa), rtol=1e-12)
        for incoming, outgoing in unit_sums(scores):
            np.testing.assert_allclose(incoming, outgoing, rtol=1e-12)


def test_synflow_is_conserved_while_pruning() -> None:
    with jax.enable_x64(True):
        params = dense_params(dtype=jnp.float64)
        score_fn = all_score_fns()["synflow"]
        mask, _ = sf.prune(score_fn, params, 3.0, rounds=10)
        scores = score_fn(params, mask, None, None)
        flow = sf.flow(dense_apply, sf.apply_mask(mask, params), jnp.ones((1, 6)))
        np.testing.assert_allclose(layer_sums(scores), float(flow.mantissa), rtol=1e-12)


def test_squared_flow_times_the_weight_is_not_conserved() -> None:
    with jax.enable_x64(True):
        params, ones = dense_params(dtype=jnp.float64), jnp.ones((1, 6))
        options = {"power": 2, "dtype": jnp.float64}
        squared, plain = (
            sf.synflow(dense_apply, ones, times=times, **options)(
                params, sf.full_mask(params), None, None
            )
            for times in ("power", "weight")
        )
        for a, b, w in zip(*map(jax.tree.leaves, (squared, plain, params)), strict=True):
            np.testing.assert_allclose(a, b * jnp.abs(w), rtol=1e-12)
        assert layer_sums(plain).max() > 1.05 * layer_sums(plain).min()


def test_ntk_sap_draw_by_draw() -> None:
    """Of a linear network: ``2 epsilon^2 z mean(x (x m z))``, summed over draws, by their keys."""
    with jax.enable_x64(True):
        kernel, epsilon, repeats = jnp.asarray(A), 0.3, 3
        score_fn = sf.ntk_sap(lambda p, x: x @ p["w"], jnp.ones((5, 2)), epsilon, repeats)
        scores = score_fn({"w": kernel}, {"w": jnp.array(True)}, None, KEY)["w"]
        total = np.zeros(A.shape)
        for key in jax.random.split(KEY, repeats):
            of_inputs, _, of_change = jax.random.split(key, 3)
            x = jax.random.normal(jax.random.split(of_inputs, 1)[0], (5, 2))
            z = np.asarray(jax.random.normal(jax.random.split(of_change, 1)[0], A.shape))
            x = np.asarray(x)
            total += 2 * epsilon**2 * z * (x.T @ (x @ z)) / 5 / repeats
        np.testing.assert_allclose(scores, np.abs(total), rtol=1e-10)


def test_ntk_sap_takes_an_initialization() -> None:
    params = dense_params()
    inputs, mask = jnp.ones((4, 6)), sf.full_mask(dense_params())
    own = sf.ntk_sap(dense_apply, inputs, 1e-2, 2, initialize=lambda key: dense_params(1))
    usual = sf.ntk_sap(dense_apply, inputs, 1e-2, 2)
    first, second = (fn(params, mask, None, KEY) for fn in (own, usual))
    assert not np.allclose(jax.tree.leaves(first)[0], jax.tree.leaves(second)[0])


def test_path_exclusion_is_conserved() -> None:
    with jax.enable_x64(True):
        params = dense_params(dtype=jnp.float64)
        mask, _ = sf.prune(sf.magnitude(), params, 2.0, rounds=1)
        scores = jax.jit(all_score_fns()["path_exclusion"])(
            params, mask, dense_batch(jnp.float64), None
        )
        sums = layer_sums(scores)
        np.testing.assert_allclose(sums, sums[0], rtol=1e-12)
        for incoming, outgoing in unit_sums(scores):
            np.testing.assert_allclose(incoming, outgoing, rtol=1e-12)


def pooled(params: Any, x: jax.Array) -> jax.Array:
    """Residual blocks under a checkpoint and a function used twice."""

    @jax.jit
    def block(kernel: jax.Array, x: jax.Array) -> jax.Array:
        return x + jnp.maximum(x @ kernel, 0.0)

    x = jax.checkpoint(block)(params["a"], x)
    return block(params["b"], jax.nn.relu(x)) @ params["c"]


def test_path_exclusion_by_numpy_through_residual_blocks() -> None:
    rng = np.random.default_rng(0)
    numbers = {name: rng.normal(size=(4, 3 if name == "c" else 4)) for name in "abc"}
    x = rng.normal(size=(5, 4))
    h1 = x @ numbers["a"]
    s1 = x + np.maximum(h1, 0)
    h2 = np.maximum(s1, 0) @ numbers["b"]
    ones, squares = np.ones((4, 4)), {name: own**2 for name, own in numbers.items()}
    z = x**2
    z = (z + (z @ ones) * (h1 > 0)) * (s1 > 0)
    z1 = (z + (z @ ones) * (h2 > 0)) @ np.ones((4, 3))
    first = np.ones((1, 4))
    second = first @ (np.eye(4) + squares["a"])
    third = second @ (np.eye(4) + squares["b"])
    back = squares["c"] @ z1.sum(0)
    expected = {
        "c": squares["c"] * third.T * z1.sum(0),
        "b": squares["b"] * second.T * back,
        "a": squares["a"] * first.T * ((np.eye(4) + squares["b"]) @ back),
    }
    with jax.enable_x64(True):
        params = jax.tree.map(jnp.asarray, numbers)
        scores = sf.path_exclusion(pooled)(params, sf.full_mask(params), jnp.asarray(x), None)
    ratio = float(scores["c"][0, 0]) / expected["c"][0, 0]
    for name, own in expected.items():
        np.testing.assert_allclose(np.asarray(scores[name]), ratio * own, rtol=1e-10)


BAD_CALLS = {
    "path_exclusion without ReLU": (
        lambda: sf.path_exclusion(lambda p, x: x @ p[0])(
            [jnp.ones((2, 2))], [jnp.array(True)], jnp.ones((3, 2)), None
        ),
        "the network has no ReLU",
    ),
    "path_exclusion of other activations": (
        lambda: sf.path_exclusion(lambda p, x: jax.nn.gelu(jax.nn.relu(x @ p[0])))(
            [jnp.ones((2, 2))], [jnp.array(True)], jnp.ones((3, 2)), None
        ),
        "the patterns of ReLUs outside of loops are known alone",
    ),
    "path_exclusion batch": (
        lambda: sf.path_exclusion(dense_apply)(*DENSE, None, None),
        "path_exclusion scores need data",
    ),
    "prospr rate": (lambda: sf.prospr(loss, 0.0, 1), "learning_rate must be positive"),
    "prospr steps": (lambda: sf.prospr(loss, 0.1, 0), "steps must be >= 1"),
    "prospr axis": (
        lambda: sf.prospr(loss, 0.1, 2)(*DENSE, jnp.ones((2, 4, 6)), None),
        "3 batches along their first axis, got 2",
    ),
    "prospr axes": (
        lambda: sf.prospr(loss, 0.1, 2)(*DENSE, (jnp.ones((3, 4, 6)), jnp.ones(2)), None),
        "got shapes",
    ),
    "prospr batch": (
        lambda: sf.prospr(loss, 0.1, 2)(*DENSE, None, None),
        "prospr scores need data",
    ),
    "fisher batch": (lambda: sf.fisher(loss)(*DENSE, None, None), "fisher scores need data"),
    "ntk_sap epsilon": (lambda: sf.ntk_sap(dense_apply, jnp.ones((1, 6)), 0.0), "epsilon must be"),
    "ntk_sap key": (
        lambda: sf.ntk_sap(dense_apply, jnp.ones((1, 6)))(*DENSE, None, None),
        "key=jax.random.key",
    ),
    "power": (lambda: sf.synflow(dense_apply, jnp.ones((1, 6)), power=3), "power must be 1 or 2"),
    "times": (
        lambda: sf.synflow(dense_apply, jnp.ones((1, 6)), power=2, times="w"),
        "times 'power' or 'weight'",
    ),
    "regrow": (
        lambda: sf.prune(sf.magnitude(), DENSE[0], 2.0, rounds=2, regrow=True),
        "regrow=True needs scores of pruned weights",
    ),
}


def loss(params: Any, batch: Any) -> jax.Array:
    return jnp.mean(dense_apply(params, batch))


DENSE = (dense_params(), sf.full_mask(dense_params()))


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_calls(name: str) -> None:
    call, words = BAD_CALLS[name]
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("method", ["snip", "grasp", "magnitude"])
def test_others_are_not_conserved(method: str) -> None:
    with jax.enable_x64(True):
        params = dense_params(dtype=jnp.float64)
        scores = jax.jit(all_score_fns()[method])(
            params, sf.full_mask(params), dense_batch(jnp.float64), None
        )
        sums = np.abs(layer_sums(scores))
        assert sums.max() > 1.05 * sums.min()
        assert any(
            np.abs(incoming - outgoing).max() > 0.05 * np.abs(incoming).max()
            for incoming, outgoing in unit_sums(scores)
        )
