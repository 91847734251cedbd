"""Maxima and counts of layers that are joined, against NumPy's of each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from synflow_jax.selection import count_of_each, largest_of_each
from synflow_jax.selection.joining import runs


@pytest.mark.parametrize(
    "sizes",
    [
        [1],
        [1, 1, 1],
        [63, 1, 64, 65],
        [0, 5, 0, 200, 0],
        [0],
        [2**20 - 1, 7],
        [10, 2**20, 3, 64, 1, 100],
    ],
)
def test_each_layer_by_itself(sizes: list[int]) -> None:
    """Also where layers begin and end within a row of 64, are empty, or are large."""
    rng = np.random.default_rng(0)
    scores = [rng.normal(size=size).astype(np.float32) for size in sizes]
    flags = [rng.random(size) < 0.3 for size in sizes]
    largest = jax.jit(largest_of_each)([jnp.asarray(each) for each in scores])
    expected = [each.max(initial=-np.inf) for each in scores]
    np.testing.assert_array_equal(largest, np.array(expected, np.float32))
    counted = jax.jit(count_of_each)([jnp.asarray(each) for each in flags])
    assert counted.dtype == jnp.int32
    np.testing.assert_array_equal(counted, [each.sum() for each in flags])


def test_small_neighbors_are_joined_as_long_as_int32_counts_them() -> None:
    large, small = (jax.ShapeDtypeStruct((size,), jnp.float32) for size in (2**20, 2**20 - 1))
    few = [small, small, large, large, small]
    assert [len(run) for run in runs(few)] == [2, 1, 1, 1]
    many = runs([small] * 5_000)
    assert [len(run) for run in many] == [2048, 2048, 904]
    assert max(len(run) * small.size for run in many) < 2**31
