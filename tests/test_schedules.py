"""Densities and counts against exact rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest

import synflow_jax as sf
from synflow_jax.selection import kept_counts


def test_exponential_falls_by_the_same_factor() -> None:
    densities = sf.exponential(1000.0, 3)
    np.testing.assert_allclose(densities, [0.1, 0.01, 0.001], rtol=1e-15)


def test_linear_falls_by_the_same_step() -> None:
    np.testing.assert_allclose(sf.linear(10.0, 3), [0.7, 0.4, 0.1], rtol=1e-15)


@pytest.mark.parametrize("size", [1, 10, 12_976, 14_761_664, 143_652_544, 2**31 - 1])
@pytest.mark.parametrize("compression", [1, 2, 10, 1000, 10**6])
def test_counts_are_exact(size: int, compression: int) -> None:
    density = 1 / compression
    expected = size - math.floor((1 - Fraction(1, compression)) * size)
    (count,) = kept_counts(size, [density])
    # Where (1 - density) * size is a whole number, float64 may fall just under it.
    assert count in (expected, expected + 1)
    assert count == size - math.floor((1.0 - density) * size)


def test_counts_by_layer() -> None:
    counts = sf.local_top_k.counts([100, 10], np.array([0.5, 0.1]))
    np.testing.assert_array_equal(counts, [[50, 5], [10, 1]])
