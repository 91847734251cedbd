"""Masks applied and tabulated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synflow_jax as sf
from benchmarks.harness.compilations import counted

PARAMS = {
    "conv": {"kernel": jnp.ones((3, 3, 2, 4)), "bias": jnp.ones(4)},
    "dense": {"kernel": jnp.ones((4, 2))},
}
MASK = {
    "conv": {
        "kernel": jnp.array([True, False, False, True]).reshape(1, 1, 1, 4),
        "bias": jnp.array(True),
    },
    "dense": {"kernel": jnp.zeros((4, 2), bool)},
}


@pytest.mark.parametrize("value", [jnp.inf, -jnp.inf, jnp.nan, -1.0])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_exact_zeros(value: float, dtype: jnp.dtype) -> None:
    params = {"kernel": jnp.full((2, 2), value, dtype)}
    mask = {"kernel": jnp.array([[True, False], [False, True]])}
    masked = sf.apply_mask(mask, params)["kernel"]
    assert masked.dtype == dtype
    np.testing.assert_array_equal(masked[0, 1], 0)
    assert not jnp.signbit(masked[0, 1])
    np.testing.assert_array_equal(np.float32(masked[0, 0]), value)


def test_a_full_mask_compiles_nothing() -> None:
    """Whatever its params are: arrays, NumPy's, or shapes, as of a sweep's members."""
    arrays = {"a": np.ones((2, 83), np.float32), "b": np.ones(83, np.float32)}
    every_kind = arrays, jax.tree.map(jnp.asarray, arrays), jax.eval_shape(lambda: arrays)
    for params in every_kind:
        with counted() as compiled:
            mask = sf.full_mask(params)
        assert not compiled
        assert mask["a"].shape == (2, 83)


def test_masks_broadcast() -> None:
    masked = sf.apply_mask(MASK, PARAMS)
    np.testing.assert_array_equal(masked["conv"]["kernel"][..., [0, 3]], 1)
    np.testing.assert_array_equal(masked["conv"]["kernel"][..., [1, 2]], 0)
    np.testing.assert_array_equal(masked["conv"]["bias"], 1)


def test_apply_mask_under_jit_and_vmap() -> None:
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), PARAMS)
    masked = jax.jit(jax.vmap(sf.apply_mask, (None, 0)))(MASK, stacked)
    np.testing.assert_array_equal(masked["conv"]["kernel"][1, ..., 0], 2)


def test_density_and_table() -> None:
    assert sf.density(MASK, PARAMS) == 36 / 80
    table = sf.layer_table(MASK, PARAMS)
    assert table.rows[0] == ("conv/kernel", (3, 3, 2, 4), 72, 36, 0.5)
    assert table.collapsed == ("dense/kernel",)
    assert (table.size, table.kept) == (80, 36)
    lines = str(table).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[-1].split() == ["total", "80", "36", "0.45"]


@pytest.mark.parametrize("front_door", [sf.apply_mask, sf.density, sf.layer_table])
def test_mismatch_names_the_leaf(front_door) -> None:
    with pytest.raises(ValueError, match="'dense/kernel'"):
        front_door({"conv": MASK["conv"]}, PARAMS)
    with pytest.raises(ValueError, match=r"'dense/kernel'.*\(4, 3\)"):
        front_door({**MASK, "dense": {"kernel": jnp.ones((4, 3), bool)}}, PARAMS)
    with pytest.raises(ValueError, match="'dense/kernel'"):
        front_door({**MASK, "dense": {"kernel": None}}, PARAMS)
