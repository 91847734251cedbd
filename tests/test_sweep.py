"""A sweep: the same as single calls, and what it refuses."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import all_score_fns, dense_batch, dense_params

import synflow_jax as sf

PARAMS = dense_params(biases=True)
SYNFLOW = all_score_fns()["synflow"]
KEY = jax.random.key(0)
SCORES, BATCH = all_score_fns(), dense_batch()


def test_sweep_shares_params() -> None:
    masks, _ = sf.sweep(SYNFLOW, PARAMS, [2.0, 4.0], rounds=2)
    expected, _ = sf.prune(SYNFLOW, PARAMS, 4.0, rounds=2)
    chex.assert_trees_all_equal(jax.tree.map(lambda m: m[1], masks), expected)


SWEEP_REFUSED = {
    "no members": ({"compressions": []}, ["empty"]),
    "bad member": ({"compressions": [2.0, 0.1]}, ["compression=0.1"]),
    "keys": ({"keys": jax.random.split(KEY, 3)}, ["3 keys", "2 compressions"]),
    "unstacked": ({"params_axis": 0}, ["dense0/bias", "leading axis of 2", "(5,)"]),
    "axis": ({"params_axis": 1}, ["params_axis=1"]),
    "nan": ({"params": jax.tree.map(lambda leaf: leaf * jnp.nan, PARAMS)}, ["sweep member 0"]),
}


@pytest.mark.parametrize("case", SWEEP_REFUSED)
def test_sweep_refused(case: str) -> None:
    options, words = SWEEP_REFUSED[case]
    options = {"params": PARAMS, "compressions": [2.0, 3.0], **options}
    with pytest.raises(ValueError, match=words[0]) as caught:
        sf.sweep(SYNFLOW, options.pop("params"), options.pop("compressions"), rounds=2, **options)
    for word in words:
        assert word in str(caught.value)


def test_pruned_weights_return_in_each_member() -> None:
    params, score_fn = dense_params(), SCORES["snip"]
    options = {"batch": BATCH, "rounds": 3, "regrow": True}
    masks, _ = sf.sweep(score_fn, params, [2.0, 5.0], **options)
    for i, compression in enumerate((2.0, 5.0)):
        mask, _ = sf.prune(score_fn, params, compression, **options)
        for one, all_ in zip(jax.tree.leaves(mask), jax.tree.leaves(masks), strict=True):
            np.testing.assert_array_equal(one, all_[i])
