"""Pruning by every method: counts, one program, and sweeps that are single calls.

A method's tests share its programs, which take long to compile.
"""

from functools import cache
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import METHODS, all_score_fns, dense_batch, dense_params

import synflow_jax as sf
from synflow_jax.types import ScoreFn

TRACED = dict.fromkeys(METHODS, 0)


def counted(method: str, score_fn: ScoreFn) -> ScoreFn:
    """The same scores; ``TRACED`` has how often they were traced."""

    def traced(params: Any, mask: Any, batch: Any, key: Any) -> Any:
        TRACED[method] += 1
        return score_fn(params, mask, batch, key)

    return traced


PARAMS, BATCH = dense_params(biases=True), dense_batch()
KEY = jax.random.key(0)
TOTAL = sum(leaf.size for leaf in jax.tree.leaves(PARAMS) if leaf.ndim == 2)
COMPRESSIONS = [1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 10.0]
MEMBERS = [dense_params(seed, biases=True) for seed in range(len(COMPRESSIONS))]
KEYS = jax.random.split(KEY, len(COMPRESSIONS))
SCORES = {method: counted(method, score_fn) for method, score_fn in all_score_fns().items()}


def prune(method: str, params: Any, compression: float, **options: Any) -> Any:
    return sf.prune(SCORES[method], params, compression, batch=BATCH, rounds=3, **options)


def sweep(method: str, chunk: int) -> Any:
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *MEMBERS)
    options = {"keys": KEYS, "params_axis": 0, "batch": BATCH, "rounds": 3, "chunk": chunk}
    return sf.sweep(SCORES[method], stacked, COMPRESSIONS, **options)


@cache
def of_all_at_once(method: str) -> Any:
    return sweep(method, chunk=100)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("compression", [1.0, 1.5, 3.7, 62.0, 1e9])
@pytest.mark.parametrize("schedule", [sf.exponential, sf.linear])
def test_exact_counts(method: str, compression: float, schedule: Any) -> None:
    mask, history = prune(method, PARAMS, compression, key=KEY, schedule=schedule)
    expected = TOTAL - np.floor((1 - schedule(compression, 3)) * TOTAL)
    np.testing.assert_array_equal(history.kept, expected)
    np.testing.assert_array_equal(history.kept_by_layer.sum(1), expected)
    assert sf.layer_table(mask, PARAMS).kept == expected[-1]
    assert all(mask[layer]["bias"].shape == () and mask[layer]["bias"] for layer in mask)


@pytest.mark.parametrize("method", METHODS)
def test_second_call_compiles_nothing(method: str) -> None:
    before = TRACED[method]
    prune(method, dense_params(0, biases=True), 2.0, key=KEY)
    after = TRACED[method]
    assert 1 <= after <= before + 1
    for seed, compression in [(1, 3.0), (2, 10.0)]:
        prune(method, dense_params(seed, biases=True), compression, key=KEY)
        assert TRACED[method] == after


@pytest.mark.parametrize("method", METHODS)
def test_sweep_equals_single_calls(method: str) -> None:
    masks, histories = of_all_at_once(method)
    for i, (params, compression) in enumerate(zip(MEMBERS, COMPRESSIONS, strict=True)):
        mask, history = prune(method, params, compression, key=KEYS[i])
        chex.assert_trees_all_equal(jax.tree.map(lambda m, i=i: m[i], masks), mask)
        np.testing.assert_array_equal(histories.kept_by_layer[i], history.kept_by_layer)


@pytest.mark.parametrize("method", METHODS)
def test_chunks_change_nothing(method: str) -> None:
    chex.assert_trees_all_equal(sweep(method, chunk=3), of_all_at_once(method))
