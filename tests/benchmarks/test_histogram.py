"""The k-th highest by histograms is that of sorting, and the kernel is lowered for a GPU."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.kernels.histogram import digit_counts, kth_by_digits

RNG = np.random.default_rng(0)
NUMBERS = {
    "normal": [RNG.normal(size=(13, 70)), RNG.normal(size=700)],
    "of one exponent": [RNG.uniform(1, 2, 1500)],
    "far apart": [10.0 ** RNG.uniform(-37, 38, 1200), -(10.0 ** RNG.uniform(-37, 38, 300))],
    "equal": [np.full(600, 0.25), np.array([0.5])],
    "pruned": [np.where(RNG.random(1300) < 0.9, -np.inf, RNG.random(1300))],
    "both zeros": [np.where(RNG.random(900) < 0.5, -0.0, 0.0), np.array([-1.0, 1e-30])],
    "one": [np.array([-3.0])],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_kth_is_that_of_sorting(name: str) -> None:
    arrays = [jnp.asarray(x, jnp.float32) for x in NUMBERS[name]]
    falling = np.sort(np.concatenate([np.ravel(x) for x in arrays]))[::-1]
    search = jax.jit(lambda k: kth_by_digits(arrays, k, interpret=True))
    for k in {1, -(-len(falling) // 3), len(falling)}:
        assert search(k) == falling[k - 1]


def test_counts_among_numbers_with_a_prefix() -> None:
    x = np.abs(RNG.normal(size=2000)).astype(np.float32)
    bits = x.view(np.uint32) | 2**31
    prefix = np.uint32(bits[0] >> 24)
    counts = digit_counts(jnp.asarray(x), jnp.asarray(prefix), 16, interpret=True)
    digits = (bits[bits >> 24 == prefix] >> 16) & 255
    np.testing.assert_array_equal(counts, np.bincount(digits, minlength=256))


def test_lowered_for_a_gpu() -> None:
    x = jax.ShapeDtypeStruct((143_652_544,), jnp.float32)
    search = jax.jit(lambda x: kth_by_digits([x], 14_365_254)).trace(x)
    assert search.lower(lowering_platforms=("cuda",)).as_text().count("gpu.triton") == 4
