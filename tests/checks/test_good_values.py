"""Calls that are unusual and good."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from bad_callers import KEY, LABELS, MASK, PARAMS, STACKED, X, counts, loss, prune, sweep

import synflow_jax as sf


@pytest.mark.parametrize(
    "options",
    [
        {"compression": 2},
        {"compression": np.float32(2)},
        {"compression": np.int64(2)},
        {"compression": jnp.array(2.0)},
        {"compression": jnp.array([2])},
        {"compression": jnp.bfloat16(2)},
        {"rounds": np.int64(1)},
        {"rounds": jnp.int32(1)},
        {"key": jax.random.PRNGKey(0)},
        {"key": np.asarray(jax.random.PRNGKey(0))},
        {"batch": (np.ones(3), 2, 0.5, True)},
        {"schedule": partial(sf.exponential)},
        {"schedule": jax.tree_util.Partial(sf.linear)},
        {"mask": {"dense": {"bias": True, "kernel": np.ones((2, 2), bool)}}},
        {"params": [np.asarray(leaf) for leaf in jax.tree.leaves(PARAMS)]},
    ],
    ids=lambda options: next(iter(options)),
)
def test_good_values(options: Any) -> None:
    _, history = prune(**options)
    assert history.kept == 2


@pytest.mark.parametrize(
    "options",
    [
        {"compressions": (2.0, 3.0)},
        {"compressions": np.array([2, 3])},
        {"compressions": jnp.array([2.0, 3.0])},
        {"compressions": range(2, 4)},
        {"keys": jax.random.split(KEY, 2)},
        {"keys": jax.random.split(jax.random.PRNGKey(0), 2)},
        {"chunk": np.int64(1)},
        {"params": STACKED, "params_axis": np.int64(0)},
    ],
    ids=lambda options: next(iter(options)),
)
def test_good_values_of_a_sweep(options: Any) -> None:
    _, history = sweep(**options)
    assert history.kept.tolist() == [[2], [2]]


@pytest.mark.parametrize("schedule", [sf.exponential, sf.linear])
@pytest.mark.parametrize("compression", [1e15, 1e17, 1e30, 1e308])
@pytest.mark.parametrize("rounds", [1, 3])
def test_one_weight_is_kept_at_any_compression(
    schedule: Any, compression: float, rounds: int
) -> None:
    last = counts(compression=compression, rounds=rounds, schedule=schedule)[-1]
    assert last.tolist() == [1]
    mask = {**MASK, "other": jnp.ones((5, 1), bool)}
    by_layer = counts(mask, compression, rounds, schedule=schedule, select=sf.local_top_k)
    assert by_layer[-1].tolist() == [1, 1]


def test_labels_of_a_small_type() -> None:
    labels = LABELS.astype(jnp.uint8)
    np.testing.assert_array_equal(loss((X, labels)), loss((X, LABELS)))
