"""Random networks of all operations: which weights are on paths, against scores in float64."""

import jax
import numpy as np
import pytest
from test_fuzz import network

import synflow_jax as sf

pytestmark = pytest.mark.unoptimized

SEEDS = [*range(8), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(8, 200))]
CHOOSING = ("max", "min", "larger", "smaller")


@jax.enable_x64(True)
@pytest.mark.parametrize("seed", SEEDS)
def test_weights_on_paths_are_those_that_synflow_scores(seed: int) -> None:
    """And by topology no fewer. What chooses among values lets through all of them."""
    drawn = network(seed)
    print(f"network({seed}):", *drawn.steps, sep="\n  ")
    rng = np.random.default_rng(seed)
    params = [[jax.device_put(np.ones(leaf.shape)) for leaf in leaves] for leaves in drawn.params]
    mask = jax.tree.map(
        lambda p: jax.device_put((rng.random(p.shape) < 0.6) | (p.ndim == 0)), params
    )
    inputs = list(map(jax.device_put, drawn.inputs["ones"]))
    found = sf.effective(drawn.apply, params, mask, inputs)
    by_units = sf.effective(drawn.apply, params, mask, inputs, by="topology")
    scores = jax.jit(sf.synflow(drawn.apply, inputs, biases=False))(params, mask, None, None)
    chooses = any(word in step for step in drawn.steps for word in CHOOSING)
    # On the host, where nothing is compiled.
    leaves = (map(np.asarray, jax.tree.leaves(tree)) for tree in (found, by_units, scores))
    for used, units, score in zip(*leaves, strict=True):
        assert not np.any(used & ~units)
        scored = (score > 0) | (score.ndim == 0)
        assert not np.any(scored & ~used)
        assert chooses or np.all(used == scored)
