"""Copies stay when their originals are written over or donated."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from synflow_jax.copies import own_copy


@pytest.mark.parametrize("size", [1, 5, 64, 1000, 4096, 65536])
def test_of_numpy_arrays_that_are_written_over(size: int) -> None:
    """JAX may take NumPy's memory for its own, depending on where that is."""
    for _ in range(20):
        original = np.ones(size, np.float32)
        copy = own_copy([original])[0]
        original[:] = 2
        assert float(copy.max()) == 1


def test_of_arrays_that_are_donated() -> None:
    original = {"a": jax.device_put(np.ones((64, 64), np.float32))}
    copy = own_copy(original)
    donated = jax.jit(lambda tree: jax.tree.map(lambda x: x + 1, tree), donate_argnums=0)(original)
    assert original["a"].is_deleted()
    assert float(copy["a"].max()) == 1
    assert float(donated["a"].min()) == 2


@pytest.mark.parametrize("transform", [jax.jit, jax.vmap])
def test_of_what_is_traced(transform: Any) -> None:
    x = jnp.arange(3.0)
    np.testing.assert_array_equal(transform(own_copy)(x), x)


def test_scalars_and_keys() -> None:
    number, key = own_copy((2.5, jax.random.key(0)))
    assert float(number) == 2.5
    assert jax.random.key_data(key).tolist() == [0, 0]
