"""Scores that are trained in place of the weights: by NumPy, on the digits, and bad calls."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import synflow_jax as sf
from experiments.data.digits import digits

Arrays = dict[str, np.ndarray]

KEY = jax.random.key(5)
RATE, DECAY, MINIBATCHES = 0.5, 0.9, 3
SIZE = 8 * 6 + 6 * 3


def apply_fn(params: Any, x: jax.Array) -> jax.Array:
    return jax.nn.relu(x @ params["a"] + params["bias"].reshape(1, -1)) @ params["b"]


def made(dtype: Any = jnp.float64) -> dict[str, jax.Array]:
    rng = np.random.default_rng(0)
    shapes = {"a": (8, 6), "b": (6, 3), "bias": (6,)}
    return {name: jnp.asarray(rng.normal(size=shape), dtype) for name, shape in shapes.items()}


def data(dtype: Any = jnp.float64) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(1)
    inputs = jnp.asarray(rng.normal(size=(MINIBATCHES, 5, 8)), dtype)
    return inputs, jnp.asarray(rng.integers(0, 3, (MINIBATCHES, 5)))


def gradient_of_factors(factors: Arrays, step: int) -> Arrays:
    """How the mean cross-entropy changes with what each weight is multiplied by."""
    w = {name: np.asarray(leaf) for name, leaf in made().items()}
    x, labels = (np.asarray(leaf)[step % MINIBATCHES] for leaf in data())
    own = {name: factors[name] * w[name] for name in "ab"}
    before = x @ own["a"] + w["bias"]
    hidden = np.maximum(before, 0)
    exp = np.exp(hidden @ own["b"])
    error = (exp / exp.sum(1, keepdims=True) - np.eye(3)[labels]) / len(x)
    return {
        "a": w["a"] * (x.T @ ((error @ own["b"].T) * (before > 0))),
        "b": w["b"] * (hidden.T @ error),
    }


def first(low: dict[str, float], high: dict[str, float]) -> Arrays:
    keys = dict(zip("ab", jax.random.split(KEY, 2), strict=True))
    return {
        name: np.asarray(
            jax.random.uniform(key, made()[name].shape, jnp.float64, low[name], high[name])
        )
        for name, key in keys.items()
    }


def highest(values: np.ndarray, k: int) -> np.ndarray:
    chosen = np.zeros(values.size, bool)
    chosen[np.argsort(-values, axis=None, kind="stable")[:k]] = True
    return chosen.reshape(values.shape)


def edge_popup_by_hand(steps: int, compression: float) -> Arrays:
    bounds = {"a": 1 / np.sqrt(8), "b": 1 / np.sqrt(6)}
    scores = first({name: -b for name, b in bounds.items()}, bounds)
    momentum = {name: np.zeros_like(s) for name, s in scores.items()}
    for step in range(steps):
        kept = {n: s.size - int((1 - 1 / compression) * s.size) for n, s in scores.items()}
        masks = {name: highest(np.abs(s), kept[name]) for name, s in scores.items()}
        gradient = gradient_of_factors(masks, step)
        for name in "ab":
            momentum[name] = DECAY * momentum[name] + gradient[name] * np.sign(scores[name])
            scores[name] = scores[name] - RATE * momentum[name]
    return {name: np.abs(s) for name, s in scores.items()}


def gem_miner_by_hand(steps: int, every: int, compression: float) -> Arrays:
    p = first(dict.fromkeys("ab", 0.0), dict.fromkeys("ab", 1.0))
    left = {name: np.ones(own.shape, bool) for name, own in p.items()}
    momentum = {name: np.zeros_like(own) for name, own in p.items()}
    survived = {name: np.zeros_like(own) for name, own in p.items()}
    for step in range(steps):
        gradient = gradient_of_factors({n: left[n] & (p[n] >= 0.5) for n in "ab"}, step)
        for name in "ab":
            momentum[name] = DECAY * momentum[name] + gradient[name] * left[name]
            moved = np.clip(p[name] - RATE * momentum[name], 0, 1)
            p[name] = np.where(left[name], moved, p[name])
        if (step + 1) % every == 0:
            density = compression ** -((step + 1) / steps)
            among = np.concatenate([np.where(left[n], p[n], -np.inf).ravel() for n in "ab"])
            stay = highest(among, SIZE - int((1 - density) * SIZE))
            left = {"a": stay[:48].reshape(8, 6), "b": stay[48:].reshape(6, 3)}
            survived = {name: survived[name] + left[name] for name in "ab"}
    return {name: survived[name] + p[name] for name in "ab"}


SGD = optax.sgd(RATE, momentum=DECAY)
LOSS = sf.cross_entropy(apply_fn)
CASES = {
    "edge_popup": (
        sf.edge_popup(LOSS, 3.0, optimizer=SGD, steps=11),
        lambda: edge_popup_by_hand(11, 3.0),
        sf.local_top_k,
    ),
    "gem_miner": (
        sf.gem_miner(LOSS, 3.0, optimizer=SGD, steps=12, every=4),
        lambda: gem_miner_by_hand(12, 4, 3.0),
        sf.global_top_k,
    ),
}


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("method", CASES)
def test_against_numpy(method: str) -> None:
    score_fn, by_hand, _ = CASES[method]
    params = made()
    scores = jax.jit(score_fn)(params, sf.full_mask(params), data(), KEY)
    for name, expected in by_hand().items():
        np.testing.assert_allclose(scores[name], expected, rtol=1e-10)
    np.testing.assert_array_equal(scores["bias"], 0)


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("method", CASES)
def test_prune_keeps_what_was_trained(method: str) -> None:
    score_fn, _, select = CASES[method]
    # The key of the first round.
    params, round_key = made(), jax.random.fold_in(KEY, 0)
    options = {"batch": data(), "rounds": 1, "select": select}
    mask, _ = sf.prune(score_fn, params, 3.0, key=KEY, **options)
    scores = score_fn(params, sf.full_mask(params), data(), round_key)
    kept = {n: int(mask[n].sum()) for n in "ab"}
    assert sum(kept.values()) == SIZE // 3
    for name in "ab":
        np.testing.assert_array_equal(mask[name], highest(np.asarray(scores[name]), kept[name]))
        if method == "gem_miner":  # what survived all three freezings
            np.testing.assert_array_equal(scores[name] >= 3, mask[name])


@pytest.mark.parametrize("method", CASES)
def test_half_precision_and_earlier_masks(method: str) -> None:
    score_fn, _, _ = CASES[method]
    params, batch = made(jnp.bfloat16), data(jnp.bfloat16)
    mask, _ = sf.prune(sf.magnitude(), params, 2.0, rounds=1)
    scores = jax.jit(score_fn)(params, mask, batch, KEY)
    for name in "ab":
        assert scores[name].dtype == jnp.float32
        assert not scores[name][~mask[name]].any()
        assert (scores[name][mask[name]] > 0).all()
    later, history = sf.prune(
        score_fn, params, 4.0, rounds=1, mask=mask, batch=batch, key=KEY, select=sf.global_top_k
    )
    assert history.kept[-1] == SIZE - int(0.75 * SIZE)
    assert all(bool((mask[name] | ~later[name]).all()) for name in "ab")


@pytest.mark.parametrize("method", CASES)
def test_loss_that_is_not_finite_is_refused(method: str) -> None:
    score_fn, _, _ = CASES[method]
    inputs, labels = data(jnp.float32)
    batch = inputs, labels.at[1, 2].set(7)  # no class, in one minibatch
    with pytest.raises(ValueError, match="aren't finite"):
        sf.prune(score_fn, made(jnp.float32), 3.0, batch=batch, key=KEY, rounds=1)


def classifier(params: Any, images: jax.Array) -> jax.Array:
    return jax.nn.relu(images.reshape(len(images), -1) @ params["hidden"]) @ params["output"]


@pytest.mark.parametrize("method", CASES)
def test_untrained_weights_read_digits(method: str) -> None:
    """At density 0.5, without a step of training; above 90 % where chance is 10 %."""
    train, test = digits()
    keys = jax.random.split(jax.random.key(0))
    params = {
        "hidden": jax.random.normal(keys[0], (64, 128)) * np.sqrt(2 / 64),
        "output": jax.random.normal(keys[1], (128, 10)) * np.sqrt(2 / 128),
    }
    count = len(train.labels) // 64
    images = train.images[: count * 64].reshape(count, 64, 8, 8, 1)
    batch = images, train.labels[: count * 64].reshape(count, 64)
    loss_fn, select = sf.cross_entropy(classifier), CASES[method][2]
    optimizer = optax.sgd(1.0, momentum=0.9)
    score_fn = {
        "edge_popup": lambda: sf.edge_popup(loss_fn, 2.0, optimizer=optimizer, steps=200),
        "gem_miner": lambda: sf.gem_miner(loss_fn, 2.0, optimizer=optimizer, steps=200, every=40),
    }[method]()
    options = {"rounds": 1, "select": select, "batch": batch, "key": jax.random.key(1)}
    mask, history = sf.prune(score_fn, params, 2.0, **options)
    assert history.kept[-1] == (64 * 128 + 128 * 10) // 2
    predicted = classifier(sf.apply_mask(mask, params), test.images).argmax(-1)
    assert float((predicted == test.labels).mean()) > 0.9


def edge_popup(**options: Any) -> Any:
    return sf.edge_popup(LOSS, **{"compression": 2.0, "optimizer": SGD, "steps": 3, **options})


def gem_miner(**options: Any) -> Any:
    return sf.gem_miner(
        LOSS, **{"compression": 2.0, "optimizer": SGD, "steps": 4, "every": 2, **options}
    )


def called(score_fn: Any, batch: Any, key: Any = KEY) -> Any:
    params = made(jnp.float32)
    return score_fn(params, sf.full_mask(params), batch, key)


BAD_CALLS: dict[str, tuple[Any, type[Exception], str]] = {
    "compression": (lambda make: make(compression=0.5), ValueError, "compression=0.5"),
    "steps": (lambda make: make(steps=0), ValueError, "steps must be >= 1"),
    "optimizer": (lambda make: make(optimizer=optax.sgd), TypeError, "optimizer must be an optax"),
    "select": (lambda make: make(select=sf.random()), TypeError, "select must be"),
    "no batch": (lambda make: called(make(), None), ValueError, "scores need data"),
    "axes": (
        lambda make: called(make(), (jnp.ones((3, 5, 8)), jnp.ones((2, 5), int))),
        ValueError,
        "minibatches along their first axis",
    ),
    "no axis": (lambda make: called(make(), (jnp.ones(()), jnp.ones(3))), ValueError, "minibatch"),
    "one batch": (
        lambda make: called(make(), (jnp.ones((10, 8)), jnp.zeros(10, int))),
        ValueError,
        "examples along their second; got shapes",
    ),
    "key": (lambda make: called(make(), data(jnp.float32), None), ValueError, "jax.random.key"),
    "a layer alone": (
        lambda make: make(select=sf.igq)(
            {"a": jnp.ones((2, 2))}, {"a": jnp.ones((2, 2), bool)}, data(jnp.float32), KEY
        ),
        ValueError,
        "one layer alone",
    ),
}


@pytest.mark.parametrize("make", [edge_popup, gem_miner])
@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_calls(name: str, make: Any) -> None:
    call, error, words = BAD_CALLS[name]
    with pytest.raises(error, match=words):
        call(make)


def test_freezings_must_divide_the_steps() -> None:
    with pytest.raises(ValueError, match="steps=4 and every=3"):
        gem_miner(every=3)
