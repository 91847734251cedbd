"""What the first round refuses, where only its position would decide over a weight."""

from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import SIZES, dense_apply, dense_batch, dense_params

import synflow_jax as sf
from synflow_jax.selection import TwoWordCount

PARAMS = dense_params(biases=True)
INPUTS = jnp.ones((1, SIZES[0]))
SYNFLOW = sf.synflow(dense_apply, INPUTS)
BY_POSITION = ["scores of leaf", "and of all others are 0 in round 1", "no path leads from the"]


def with_zeros(*layers: str) -> Any:
    return {
        name: jax.tree.map(jnp.zeros_like, layer) if name in layers else layer
        for name, layer in dense_params().items()
    }


NO_FLOW = {
    "inputs of zeros": (sf.synflow(dense_apply, 0 * INPUTS), dense_params(), []),
    "a layer of zeros": (SYNFLOW, with_zeros("dense1"), ["'dense1/kernel' are all 0"]),
    "a head of zeros": (SYNFLOW, with_zeros("dense2"), ["'dense2/kernel' are all 0"]),
    "weights of zeros": (sf.magnitude(), with_zeros("dense0", "dense1", "dense2"), ["'dense0"]),
    "second factor of zeros": (
        sf.synflow(lambda p, x: x @ (p["down"] @ p["up"]), INPUTS),
        {"down": jnp.ones((6, 2)), "up": jnp.zeros((2, 6))},
        ["'up' are all 0", "leaf 'down'"],
    ),
    "a factor of zero": (
        sf.synflow(lambda p, x: dense_apply(p, x) * jnp.zeros((1, 3)), INPUTS),
        dense_params(),
        [],
    ),
    "a constant loss": (sf.snip(lambda params, batch: jnp.float32(1)), dense_params(), []),
}


@pytest.mark.parametrize("name", NO_FLOW)
def test_a_mask_by_position_is_refused(name: str) -> None:
    score_fn, params, words = NO_FLOW[name]
    with pytest.raises(ValueError, match="no path leads") as caught:
        sf.prune(score_fn, params, 3.0, batch=dense_batch(), rounds=1)
    for word in [*BY_POSITION, *words]:
        assert word in str(caught.value)


def test_a_member_with_a_mask_by_position_is_refused() -> None:
    score_fn, params, _ = NO_FLOW["inputs of zeros"]
    with pytest.raises(ValueError, match=r"are 0 in round 1 of sweep member 1: no path"):
        sf.sweep(score_fn, params, [1.0, 3.0], rounds=2)


def test_where_all_is_kept_nothing_is_refused() -> None:
    _, history = sf.prune(SYNFLOW, with_zeros("dense1"), 1.0, rounds=2)
    assert history.kept[-1] == 62


def two_heads(params: Any, x: jax.Array) -> Any:
    return x @ params["first"], x @ params["second"] * params["scale"].reshape(1, 4)


HEADS = {"first": jnp.ones((6, 4)), "second": jnp.ones((6, 4)), "scale": jnp.ones(4)}


def test_a_second_head_of_zeros_is_refused() -> None:
    params = {**HEADS, "second": jnp.zeros((6, 4))}
    with pytest.raises(ValueError, match="'second' are all 0 in round 1, since its weights are"):
        sf.prune(sf.synflow(two_heads, INPUTS), params, 2.0, rounds=2)
    _, history = sf.prune(
        sf.synflow(two_heads, INPUTS), params, 2.0, prunable=lambda path, _: path == "first"
    )
    assert history.kept[-1] == 12


def test_a_layer_that_no_path_uses_is_told() -> None:
    params = {**HEADS, "scale": jnp.zeros(4)}
    with pytest.warns(UserWarning, match="'second' are all 0 in round 1: no path"):
        mask, _ = sf.prune(sf.synflow(two_heads, INPUTS), params, 2.0, rounds=2)
    assert not mask["second"].any()


def test_zeros_in_later_rounds_are_allowed() -> None:
    params = {**HEADS, "second": 1e-3 * jnp.ones((6, 4))}
    _, history = sf.prune(sf.synflow(two_heads, INPUTS), params, 24.0, rounds=3)
    np.testing.assert_array_equal(history.kept_by_layer[-1], [2, 0])
    assert not history.positive[-1, 1]


def test_an_early_exit_below_the_range_is_refused() -> None:
    """A head after layer 2 beside one after layer 60: of 1e100 times the flow."""

    def apply_fn(params: Any, x: jax.Array) -> Any:
        early = None
        for i, kernel in enumerate(params["trunk"]):
            x = jax.nn.relu(x @ kernel)
            early = x @ params["exit"] if i == 1 else early
        return early, x @ params["head"]

    keys = jax.random.split(jax.random.key(0), 62)
    params = {
        "trunk": [jax.random.normal(key, (64, 64)) for key in keys[:60]],
        "exit": jax.random.normal(keys[60], (64, 10)),
        "head": jax.random.normal(keys[61], (64, 10)),
    }
    inputs = jnp.ones((1, 64))
    with pytest.raises(ValueError, match=r"'exit' are all 0 .* dtype=jnp\.float64"):
        sf.prune(sf.synflow(apply_fn, inputs), params, 2.0, rounds=2)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), params)
        score_fn = sf.synflow(apply_fn, inputs, dtype=jnp.float64)
        mask = jax.tree.map(lambda _: jnp.array(True), wide)
        scores = jax.jit(score_fn)(wide, mask, None, None)
        assert float(scores["exit"].min()) > 0


def test_a_thousand_billion_times_fewer_still_leave_one() -> None:
    for compression in (1e12, 1e17, 1e300):
        _, history = sf.prune(sf.magnitude(), PARAMS, compression, rounds=3)
        assert history.kept[-1] == 1


def test_positive_tells_where_a_score_is_above_0() -> None:
    def score_fn(params: Any, *_: Any) -> Any:
        return {"a": -jnp.abs(params["a"]), "b": jnp.abs(params["b"])}

    params = {"a": jnp.ones((2, 2)), "b": jnp.ones((2, 2))}
    _, history = sf.prune(score_fn, params, 2.0, rounds=1)
    np.testing.assert_array_equal(history.positive, [[False, True]])
    assert history.kept[-1] == 4


def test_counts_of_two_words_reach_every_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts from 2**31 weights on are int64; no door may hand them on in one word."""
    tickets = import_module("synflow_jax.tickets")

    def two_word_counts(*args: Any) -> np.ndarray:
        return sf.round_counts(*args).astype(np.int64)

    monkeypatch.setattr(tickets, "round_counts", two_word_counts)
    seen = []

    def keep(scores: Any, row: Any) -> Any:
        seen.append(row)
        return sf.global_top_k.keep(scores, row)

    select = sf.Selection(sf.global_top_k.counts, keep)
    found = list(sf.tickets(lambda p, m, k: p, PARAMS, 4.0, levels=2, select=select))
    assert all(ticket.history.kept.dtype == np.int64 for ticket in found)
    assert found[-1].history.kept[-1] == 62 - np.floor(62 * 0.75)
    assert isinstance(seen[0], TwoWordCount)


@pytest.mark.slow
def test_traces_leak_nothing() -> None:
    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        x = jax.lax.conv_general_dilated(
            x, params["conv"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return jax.nn.relu(x).mean((1, 2)) @ params["dense"]

    keys = jax.random.split(jax.random.key(0), 2)
    params = {
        "conv": jax.random.normal(keys[0], (3, 3, 3, 4)),
        "dense": jax.random.normal(keys[1], (4, 3)),
    }
    images = jax.random.uniform(keys[0], (1, 4, 4, 3))
    with jax.checking_leaks():
        for inputs in (jnp.ones((1, 4, 4, 3)), images):
            sf.prune(sf.synflow(apply_fn, inputs), params, 4.0, rounds=2)
        sf.sweep(sf.synflow(apply_fn, images), params, [2.0, 4.0], rounds=2)
