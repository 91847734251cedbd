"""Units of networks with attention, normalization and gates, pruned by SynFlow and removed."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from branching import NETWORKS, Draw

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote", "wide")

ALWAYS = ("llama", "gpt", "mixer", "squeeze-excitation")
CASES: list[Any] = [
    pytest.param(name, marks=[] if name in ALWAYS else [pytest.mark.slow]) for name in NETWORKS
]


@pytest.mark.parametrize("name", CASES)
def test_pruned_units_are_removed(name: str) -> None:
    apply_fn, params, inputs, _ = NETWORKS[name](Draw())
    units = sf.units(apply_fn, params, inputs)
    score_fn = sf.synflow(apply_fn, inputs, through="attention")
    mask, history = sf.prune_units(score_fn, params, units, multiplications=0.6, rounds=3)
    assert 0.4 < history.multiplications[-1] / units.multiplications <= 0.6
    fewer = sf.compact(apply_fn, params, mask, inputs, averages="left")
    assert fewer.report.total[3] == history.multiplications[-1]
    assert bool(jnp.isfinite(fewer.apply_fn(fewer.params, inputs)).all())
    same = sf.compact(apply_fn, params, mask, inputs)
    np.testing.assert_allclose(
        same.apply_fn(same.params, inputs), apply_fn(sf.apply_mask(mask, params), inputs), atol=1e-9
    )
