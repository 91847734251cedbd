"""Rounds: counts, going on from a mask, sweeps, and what the front doors refuse."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import all_score_fns, dense_apply, dense_batch, dense_params

import synflow_jax as sf

PARAMS = dense_params(biases=True)
SYNFLOW = all_score_fns()["synflow"]
KEY = jax.random.key(0)
TOTAL = sum(leaf.size for leaf in jax.tree.leaves(PARAMS) if leaf.ndim == 2)


def prune(params: Any = PARAMS, score_fn: Any = SYNFLOW, compression: Any = 2.0, **options: Any):
    return sf.prune(score_fn, params, compression, **{"rounds": 3, **options})


SCORES, BATCH = all_score_fns(), dense_batch()


def test_local_selection_gives_each_layer_the_same_density() -> None:
    mask, _ = prune(select=sf.local_top_k, compression=4.0)
    for row in sf.layer_table(mask, PARAMS).rows:
        assert row.kept == row.size - np.floor(0.75 * row.size)


def test_masks_only_shrink() -> None:
    masks = [prune(compression=c, rounds=r)[0] for c, r in [(2.0**0.5, 1), (2.0, 2)]]
    assert all(
        bool(jnp.all(early | ~late))
        for early, late in zip(*map(jax.tree.leaves, masks), strict=True)
    )


@pytest.mark.parametrize("method", ["synflow", "grasp", "magnitude"])
def test_equal_weights_tie_and_counts_stay_exact(method: str) -> None:
    params = jax.tree.map(lambda leaf: jnp.full_like(leaf, 0.5), PARAMS)
    _, history = prune(params, SCORES[method], 5.0, batch=BATCH, rounds=4)
    np.testing.assert_array_equal(
        history.kept, TOTAL - np.floor((1 - sf.exponential(5.0, 4)) * TOTAL)
    )


def test_other_leaves_can_be_pruned() -> None:
    mask, history = prune(prunable=lambda path, _: path.endswith("bias"))
    assert mask["dense0"]["bias"].shape == (5,)
    assert mask["dense0"]["kernel"].shape == ()
    assert history.kept_by_layer.shape == (3, 3)
    assert history.kept[-1] == 6


def test_going_on_from_a_mask() -> None:
    first, _ = prune(compression=2.0)
    second, history = prune(compression=8.0, mask=first)
    straight = sf.round_counts(first, 8.0, 3, sf.exponential, sf.global_top_k)
    np.testing.assert_array_equal(history.kept[:, None], straight)
    assert int(history.kept[-1]) == TOTAL - np.floor((1 - 1 / 8) * TOTAL)
    assert all(
        bool(jnp.all(a | ~b))
        for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    )


def test_going_on_from_a_channel_mask() -> None:
    first = sf.full_mask(PARAMS)
    first["dense0"]["kernel"] = jnp.array([[True, False, True, False, True]])
    mask, history = prune(compression=2.0, mask=first)
    assert mask["dense0"]["kernel"].shape == (6, 5)
    assert not mask["dense0"]["kernel"][:, [1, 3]].any()
    assert history.kept[-1] == 31


def test_a_key_decides_random_scores() -> None:
    same = [prune(score_fn=sf.random(), key=jax.random.key(seed))[0] for seed in (0, 0, 1)]
    chex.assert_trees_all_equal(same[0], same[1])
    assert any(jax.tree.leaves(jax.tree.map(lambda a, b: (a != b).any(), same[0], same[2])))


def test_core_works_under_jit_and_grad() -> None:
    counts = sf.round_counts(sf.full_mask(PARAMS), 2.0, 3, sf.exponential, sf.global_top_k)

    @jax.jit
    @jax.grad
    def gradient(params: Any) -> jax.Array:
        mask, _ = sf.prune_rounds(SYNFLOW, params, sf.full_mask(params), counts)
        return jnp.sum(dense_apply(sf.apply_mask(mask, params), jnp.ones((1, 6))))

    mask, _ = prune(compression=2.0)
    zero = jax.tree.map(lambda m, g: jnp.all(m | (g == 0)), mask, gradient(PARAMS))
    assert all(jax.tree.leaves(zero))


def bad(leaf: str, value: Any) -> Any:
    params = dense_params(biases=True)
    params["dense1"][leaf] = value
    return params


FULL = sf.full_mask(PARAMS)


REFUSED = {
    "compression below 1": ({"compression": 0.5}, ValueError, ["compression=0.5", ">= 1"]),
    "compression nan": ({"compression": float("nan")}, ValueError, ["compression=nan"]),
    "compression inf": ({"compression": float("inf")}, ValueError, ["compression=inf"]),
    "no rounds": ({"rounds": 0}, ValueError, ["rounds=0", ">= 1"]),
    "half a round": ({"rounds": 1.5}, TypeError, ["rounds=1.5"]),
    "nothing prunable": (
        {"prunable": lambda *_: False},
        ValueError,
        ["nothing is prunable", "dense1/kernel"],
    ),
    "empty params": ({"params": {}}, ValueError, ["no leaves"]),
    "scalar prunable": (
        {"params": bad("bias", jnp.float32(1)), "prunable": lambda *_: True},
        ValueError,
        ["dense1/bias", "scalar"],
    ),
    "integer leaf": (
        {"params": bad("bias", jnp.arange(4))},
        TypeError,
        ["dense1/bias", "int32", "floating-point"],
    ),
    "python leaf": ({"params": bad("bias", "text")}, TypeError, ["dense1/bias", "str"]),
    "complex leaf": (
        {"params": bad("bias", jnp.ones(4, jnp.complex64))},
        TypeError,
        ["dense1/bias", "complex64"],
    ),
    "snip without batch": ({"score_fn": SCORES["snip"]}, ValueError, ["batch=None"]),
    "grasp without batch": ({"score_fn": SCORES["grasp"]}, ValueError, ["batch=None"]),
    "random without key": ({"score_fn": SCORES["random"]}, ValueError, ["key=None"]),
    "mask lacks a leaf": (
        {"mask": {k: v for k, v in FULL.items() if k != "dense1"}},
        ValueError,
        ["mask has no leaf 'dense1/bias'"],
    ),
    "mask has one more": (
        {"mask": {**FULL, "other": jnp.array(True)}},
        ValueError,
        ["'other'", "lacks"],
    ),
    "mask of another shape": (
        {"mask": {**FULL, "dense1": {"bias": True, "kernel": jnp.ones((3, 4), bool)}}},
        ValueError,
        ["dense1/kernel", "(3, 4)", "(5, 4)"],
    ),
    "mask of numbers": (
        {"mask": {**FULL, "dense1": {"bias": True, "kernel": jnp.ones((5, 4))}}},
        TypeError,
        ["dense1/kernel", "boolean", "float32"],
    ),
    "mask keeps less": (
        {"compression": 2.0, "mask": prune(compression=10.0)[0]},
        ValueError,
        ["compression=2", "keeps only", "compression >= "],
    ),
    "mask keeps nothing": (
        {"mask": jax.tree.map(lambda m: m & (m.ndim == 0), FULL)},
        ValueError,
        ["nothing is left"],
    ),
    "scalar False": (
        {"mask": {**FULL, "dense1": {**FULL["dense1"], "bias": jnp.array(False)}}},
        ValueError,
        ["dense1/bias", "scalar False"],
    ),
    "layer that keeps less": (
        {"mask": prune(compression=3.0)[0], "compression": 3.1, "select": sf.local_top_k},
        ValueError,
        ["instead of", "fewer of some"],
    ),
    "label out of range": (
        {"score_fn": SCORES["snip"], "batch": (BATCH[0], BATCH[1] + 1)},
        ValueError,
        ["aren't finite"],
    ),
    "empty kernels": (
        {"params": {"kernel": jnp.zeros((0, 3))}},
        ValueError,
        ["nothing is left"],
    ),
    "failing apply_fn": (
        {"score_fn": sf.synflow(dense_apply, jnp.ones((1, 7)))},
        ValueError,
        ["apply_fn", "float32[1, 7]", "dot_general"],
    ),
    "integer outputs": (
        {"score_fn": sf.synflow(lambda p, x: dense_apply(p, x).argmax(-1), jnp.ones((1, 6)))},
        TypeError,
        ["apply_fn", "int32"],
    ),
    "loss of many numbers": (
        {"score_fn": sf.snip(lambda p, b: dense_apply(p, b[0])), "batch": BATCH},
        ValueError,
        ["loss_fn", "scalar", "(8, 3)"],
    ),
    "nan weight": (
        {"params": bad("kernel", jnp.full((5, 4), jnp.nan))},
        ValueError,
        ["dense0/kernel", "round 1"],
    ),
    "infinite weight": (
        {"params": bad("kernel", jnp.full((5, 4), jnp.inf)), "score_fn": sf.magnitude()},
        ValueError,
        ["dense1/kernel", "aren't finite"],
    ),
    "schedule that rises": (
        {"schedule": lambda c, r: np.linspace(1 / c, 1, r)},
        ValueError,
        ["schedule", "don't rise"],
    ),
    "scores of another structure": (
        {"score_fn": lambda p, m, b, k: p["dense0"]},
        ValueError,
        ["scores", "structure"],
    ),
    "scores of another shape": (
        {"score_fn": lambda p, m, b, k: jax.tree.map(lambda leaf: leaf[:1], p)},
        ValueError,
        ["scores leaf 'dense0/bias'", "(5,)"],
    ),
    "integer scores": (
        {"score_fn": lambda p, m, b, k: jax.tree.map(lambda leaf: leaf.astype(int), p)},
        TypeError,
        ["scores leaf 'dense0/bias'", "int32"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    options, error, words = REFUSED[case]
    with pytest.raises(error) as caught:
        prune(**options)
    for word in words:
        assert word in str(caught.value)


def test_synflow_refused() -> None:
    with pytest.raises(TypeError, match="inputs must be floating-point, got uint8"):
        sf.synflow(dense_apply, jnp.ones((1, 6), jnp.uint8))
    with pytest.raises(ValueError, match="needs x64"):
        sf.synflow(dense_apply, jnp.ones((1, 6)), dtype=jnp.float64)
    with pytest.raises(TypeError, match="floating-point type, got dtype=int32"):
        sf.synflow(dense_apply, jnp.ones((1, 6)), dtype=jnp.int32)
