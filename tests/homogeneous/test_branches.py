"""SynFlow through attention, normalization and gates: conservation, and numbers by hand."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from branching import NETWORKS, Draw, along, layer_norm
from flax import linen, nnx
from jax import lax

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote", "wide")

THROUGH: Any = {"through": "attention", "biases": False}


def scores_of(apply_fn: Any, params: Any, inputs: Any, **options: Any) -> Any:
    score_fn = jax.jit(sf.synflow(apply_fn, inputs, **THROUGH | options))
    return score_fn(params, jax.tree.map(lambda _: jnp.array(True), params), None, None)


@pytest.mark.parametrize("name", NETWORKS)
def test_scores_of_a_layer_add_up_to_the_flow_through_it(name: str) -> None:
    case = NETWORKS[name](Draw())
    scores = scores_of(case.apply_fn, case.params, case.inputs)
    flow = float(sf.flow(case.apply_fn, case.params, case.inputs, **THROUGH).mantissa)
    # Softmax of the library's attention is in float32.
    tolerance = 1e-6 if name == "library attention" else 1e-9
    for group in case.equal:
        sums = [float(scores[leaf].sum()) / times for leaf, times in group.items()]
        np.testing.assert_allclose(sums, sums[0], rtol=tolerance)
        layers = 3 if name == "scanned" else 1
        assert 0 < sums[0] <= layers * flow * (1 + 1e-6)
    assert all(float(leaf.min()) >= 0 for leaf in jax.tree.leaves(scores))
    with pytest.raises((ValueError, TypeError), match="through='attention'"):
        sf.flow(case.apply_fn, case.params, case.inputs)


def test_scores_by_another_program() -> None:
    """Its linear network written out, with everything held constant that should be."""
    n = Draw()
    params = {"e": n(5, 6), "p": n(4, 6), "s": n(6), "b": n(6), "h": n(6, 2)}
    params |= {name: n(6, 6) for name in "qkvo"} | {"g": n(6, 7), "u": n(6, 7), "d": n(7, 6)}

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        x = x @ params["e"] + params["p"][None]
        y = layer_norm(x, params["s"], params["b"])
        q, k, v = (y @ params[name] for name in "qkv")
        hidden = jnp.tril(jnp.ones((1, 4, 4), bool))
        logits = jnp.where(hidden, q @ k.transpose(0, 2, 1), -1e30)
        x = x + jax.nn.softmax(logits) @ v @ params["o"]
        return (x + (jax.nn.sigmoid(x @ params["g"]) * (x @ params["u"])) @ params["d"]) @ (
            params["h"]
        )

    def by_hand(w: Any) -> jax.Array:
        held = lax.stop_gradient
        x = jnp.ones((1, 4, 5)) @ w["e"] + w["p"][None]
        y = x * along(w["s"], x) + along(w["b"], x)
        logits = (held(y) @ w["q"]) @ (held(y) @ w["k"]).transpose(0, 2, 1)
        logits = logits * jnp.tril(jnp.ones((1, 4, 4)))
        x = x + (logits / held(logits.sum(-1, keepdims=True))) @ (y @ w["v"]) @ w["o"]
        gate = held(x) @ w["g"]
        return jnp.sum((x + (gate / held(gate.mean()) * (x @ w["u"])) @ w["d"]) @ w["h"])

    inputs = jnp.ones((1, 4, 5))
    flow = sf.flow(apply_fn, params, inputs, through="attention", biases=True)
    sizes = jax.tree.map(jnp.abs, params)
    expected, gradient = jax.value_and_grad(by_hand)(sizes)
    power = int(flow.exponent)
    np.testing.assert_allclose(np.ldexp(float(flow.mantissa), power), expected, rtol=1e-10)
    scores = scores_of(apply_fn, params, inputs, biases=True)
    for name, own in scores.items():
        np.testing.assert_allclose(
            np.ldexp(np.asarray(own), power), sizes[name] * gradient[name], rtol=1e-9
        )


class Linen(linen.Module):
    """An encoder's block."""

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        options = {"param_dtype": jnp.float64}
        x = linen.Dense(12, **options)(x)
        y = linen.LayerNorm(**options)(x)
        x = x + linen.MultiHeadDotProductAttention(3, name="attention", **options)(y)
        y = linen.gelu(linen.Dense(20, **options)(linen.RMSNorm(**options)(x)))
        return linen.Dense(2, **options)((x + linen.Dense(12, **options)(y)).mean(1))


class Encoder(nnx.Module):
    """An encoder's block."""

    def __init__(self, rngs: nnx.Rngs):
        options = {"rngs": rngs, "param_dtype": jnp.float64}
        self.embed = nnx.Linear(5, 12, **options)
        self.norm = nnx.LayerNorm(12, **options)
        self.attention = nnx.MultiHeadAttention(3, 12, decode=False, **options)
        self.output = nnx.Linear(12, 2, **options)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.embed(x)
        mask = nnx.make_causal_mask(jnp.ones(x.shape[:2]))
        return self.output(x + self.attention(self.norm(x), mask=mask))


@pytest.mark.parametrize("kind", ["nnx", "linen"])
def test_attention_of_flax(kind: str) -> None:
    x = jnp.ones((1, 4, 5))
    if kind == "nnx":
        apply_fn, params = sf.from_nnx(Encoder(nnx.Rngs(0)))
    else:
        module = Linen()
        apply_fn, params = sf.from_linen(module, module.init(jax.random.key(0), x))
    scores = scores_of(apply_fn, params, x)
    own = scores["attention"]
    sums = [float(own[name]["kernel"][...].sum()) for name in ("query", "key", "value", "out")]
    np.testing.assert_allclose(sums, sums[0], rtol=1e-6)
    mask, history = sf.prune(
        sf.synflow(apply_fn, x, through="attention"),
        params,
        4.0,
        rounds=20,
        prunable=lambda path, leaf: path.endswith("kernel"),
    )
    assert not sf.layer_table(mask, params).collapsed
    assert history.kept[-1] > 0


@pytest.mark.slow
def test_deep_networks_and_sweeps() -> None:
    """Beyond a float's range, in float32; and as a sweep prunes."""
    with jax.enable_x64(False):
        rng = np.random.default_rng(0)
        kernels = [jnp.asarray(1e6 * rng.normal(size=(8, 8)), jnp.float32) for _ in range(40)]

        def apply_fn(params: Any, x: jax.Array) -> jax.Array:
            for q, k, v, o in zip(*[iter(params)] * 4, strict=True):
                weights = jax.nn.softmax((x @ q) @ (x @ k).transpose(0, 2, 1))
                x = x + jax.nn.relu(weights @ (x @ v)) @ o
            return x

        score_fn = sf.synflow(apply_fn, jnp.ones((1, 4, 8)), through="attention")
        assert (
            float(sf.flow(apply_fn, kernels, jnp.ones((1, 4, 8)), through="attention").log2) > 400
        )
        masks, _ = sf.sweep(score_fn, kernels, [2.0, 8.0], rounds=3)
        mask, _ = sf.prune(score_fn, kernels, 8.0, rounds=3)
        for one, both in zip(mask, masks, strict=True):
            np.testing.assert_array_equal(one, both[1])


REFUSED = {
    "two gates": (lambda p, x: jax.nn.silu(x @ p) * jax.nn.gelu(x @ p.T), "has degree 2"),
    "bilinear": (lambda p, x: (x @ p) * (x @ p.T), "has degree 2"),
    "a difference": (lambda p, x: x @ p - x @ p.T, "subtracts a value"),
    "no softmax": (lambda p, x: (x @ p) @ (x @ p).T @ x, "has degree 2"),
    "softmax of outputs": (lambda p, x: jax.nn.softmax(x @ p), "isn't part of the flow"),
    "cosine": (lambda p, x: jnp.cos(x @ p), "isn't positively homogeneous"),
    "sorted": (lambda p, x: jnp.sort(x @ p), "isn't positively homogeneous"),
    "squares": (lambda p, x: jnp.square(x @ p), "isn't part of the flow"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    apply_fn, words = REFUSED[name]
    with pytest.raises(sf.NonHomogeneousError, match=words):
        sf.flow(apply_fn, jnp.eye(4) + 1.0, jnp.ones((4, 4)), through="attention")


def test_a_class_token_that_starts_no_flow_is_reached() -> None:
    """Its query is held constant, so the image reaches it through attention alone."""
    n = Draw()
    params = {"e": n(5, 6), "c": n(6), "p": n(4, 6), "h": n(6, 2)}
    params |= {name: n(6, 6) for name in "qkvo"}

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        x = jnp.concatenate([params["c"].reshape(1, 1, -1), x @ params["e"]], 1) + params["p"][None]
        logits = (x @ params["q"]) @ (x @ params["k"]).transpose(0, 2, 1)
        x = x + jax.nn.softmax(logits) @ (x @ params["v"]) @ params["o"]
        return x[:, 0] @ params["h"]

    scores = scores_of(apply_fn, params, jnp.ones((1, 3, 5)))
    sums = [float(scores[name].sum()) for name in "qkvoeh"]
    np.testing.assert_allclose(sums, sums[0], rtol=1e-9)
    assert sums[0] > 0
    assert float(scores["c"].sum()) == float(scores["p"].sum()) == 0


def attention_of_ids(params: Any, ids: Any, hidden: Any) -> jax.Array:
    x = params["e"][ids]
    logits = (x @ params["q"]) @ (x @ params["k"]).transpose(0, 2, 1)
    return jax.nn.softmax(jnp.where(hidden, logits, -1e9)) @ x


@pytest.mark.parametrize("under_jit", [False, True])
def test_bad_inputs(under_jit: bool) -> None:
    n = Draw()
    params, ids = {"e": n(7, 6), "q": n(6, 6), "k": n(6, 6)}, np.array([[0, 3, 6]])
    shown = np.tril(np.ones((1, 3, 3), bool))

    def log_flow(ids: Any, shown: Any) -> Any:
        def flow(params: Any) -> Any:
            own = partial(attention_of_ids, hidden=shown)
            return sf.flow(own, params, ids, through="attention").log2

        return (jax.jit(flow) if under_jit else flow)(params)

    assert np.isfinite(log_flow(ids, shown))
    with pytest.raises(ValueError, match=r"token ids must be from 0 to 6, .* got 0 to 7"):
        log_flow(ids + np.array([[0, 0, 1]]), shown)
    with pytest.raises(sf.NonHomogeneousError, match="hides all positions of a row"):
        log_flow(ids, shown & ~np.eye(3, dtype=bool))


def test_bad_calls() -> None:
    with pytest.raises(ValueError, match="through must be None or 'attention', got through='mlp'"):
        sf.synflow(lambda p, x: x @ p, jnp.ones((1, 2)), through="mlp")
    with pytest.raises(TypeError, match="inputs must be floating-point"):
        sf.synflow(lambda p, ids: p[ids], jnp.zeros((1, 2), int))
