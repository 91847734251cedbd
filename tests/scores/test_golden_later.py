"""Later methods against float64 numbers worked out from the papers' equations by other programs."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden_networks import GOLDEN, Golden, load, unpacked

import synflow_jax as sf
from synflow_jax.types import ScoreFn

pytestmark = pytest.mark.usefixtures("wide")

NETWORKS = ["mlp", "conv"]


@cache
def later(network: str) -> tuple[Golden, dict[str, np.ndarray]]:
    return load(network, "float64"), dict(np.load(GOLDEN / f"later_{network}.npz"))


def batches(golden: Golden) -> Any:
    """Four of four images each."""
    return jax.tree.map(lambda x: x.reshape(4, 4, *x.shape[1:]), golden.batch)


def made(method: str, golden: Golden) -> tuple[ScoreFn, Any]:
    """A score function and its batch."""
    apply_fn, float64 = golden.apply_fn, {"dtype": jnp.float64}
    return {
        "synflow_squared": lambda: (sf.synflow(apply_fn, golden.ones, power=2, **float64), None),
        "lamp": lambda: (sf.lamp(), None),
        "px": lambda: (sf.path_exclusion(apply_fn), golden.batch),
        "prospr": lambda: (sf.prospr(sf.cross_entropy(apply_fn), 0.1, 3), batches(golden)),
    }[method]()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", ["synflow_squared", "lamp", "prospr", "px"])
def test_scores(network: str, method: str) -> None:
    golden, arrays = later(network)
    score_fn, batch = made(method, golden)
    mask = sf.full_mask(golden.params, golden.prunable)
    scores = jax.jit(score_fn)(golden.params, mask, batch, None)
    scale = 1.0
    if method == "synflow_squared":  # divided by the flow there, by a power of two here
        squares = jax.tree.map(jnp.square, golden.params)
        found = sf.flow(golden.apply_fn, squares, golden.ones)
        scale = float(found.mantissa)
    if method == "px":  # divided by the sum there, which is that of every layer
        scale = float(scores[next(iter(arrays)).split("/")[-1]].sum())
    names = [name for name in golden.params if f"scores/{method}/{name}" in arrays]
    assert len(names) >= 3
    for name in names:
        expected = arrays[f"scores/{method}/{name}"]
        found = np.asarray(scores[name]) / scale
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * expected.max())


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("rounds", ["1/10", "5/10", "10/100"])
@pytest.mark.parametrize("method", ["force", "iterative_snip"])
def test_masks(network: str, method: str, rounds: str) -> None:
    golden, arrays = later(network)
    count, compression = map(int, rounds.split("/"))
    mask, _ = sf.prune(
        sf.snip(sf.cross_entropy(golden.apply_fn)),
        golden.params,
        compression,
        batch=golden.batch,
        rounds=count,
        prunable=golden.prunable,
        regrow=method == "force",
    )
    packed = {name: arrays.get(f"masks/{method}/{rounds}/{name}") for name in golden.params}
    for name, bits in packed.items():
        if bits is not None:
            expected = unpacked(bits, golden.params[name].shape)
            np.testing.assert_array_equal(np.asarray(mask[name]), expected)
    assert sum(bits is not None for bits in packed.values()) >= 3
