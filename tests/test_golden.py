"""Parity with reference numbers computed in float64 by the method's authors' program."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden_networks import GOLDEN, Golden, load, mlp, train_bn, unpacked

import synflow_jax as sf
from synflow_jax.types import LossFn, ScoreFn

NETWORKS = ["mlp", "conv", "resnet20"]
METHODS = ["magnitude", "snip", "grasp", "synflow"]
ROUNDS = [("magnitude", 1), ("snip", 1), ("grasp", 1), ("synflow", 1), ("synflow", 100)]


def score_fn(method: str, golden: Golden) -> ScoreFn:
    return {
        "magnitude": sf.magnitude,
        "snip": lambda: sf.snip(sf.cross_entropy(golden.apply_fn)),
        "grasp": lambda: sf.grasp(sf.cross_entropy(golden.apply_fn, temperature=200.0)),
        "synflow": lambda: sf.synflow(golden.apply_fn, golden.ones),
    }[method]()


def reference_scale(method: str, scores: dict[str, jax.Array], golden: Golden) -> Any:
    """What the reference divides all scores by."""
    prunable = [s for name, s in scores.items() if golden.prunable(name, s)]
    return {
        "magnitude": lambda: jnp.ones(()),
        "snip": lambda: sum(jnp.sum(s) for s in prunable),
        "grasp": lambda: jnp.abs(sum(jnp.sum(s) for s in prunable)) + 1e-10,
        # Ours are divided by a power of two already.
        "synflow": lambda: (
            golden.arrays["synflow/flow"]
            / 2.0 ** int(sf.flow(golden.apply_fn, golden.params, golden.ones).exponent)
        ),
    }[method]()


@pytest.mark.parametrize("network", NETWORKS)
def test_logits(network: str) -> None:
    with jax.enable_x64(True):
        golden = load(network, jnp.float64)
        logits = golden.apply_fn(golden.params, golden.batch[0])
        np.testing.assert_allclose(logits, golden.arrays["logits"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-5), ("float32", 1e-3)])
def test_scores(network: str, method: str, dtype: str, tolerance: float) -> None:
    with jax.enable_x64(dtype == "float64"):
        golden = load(network, dtype)
        mask = sf.full_mask(golden.params, golden.prunable)
        scores = jax.jit(score_fn(method, golden))(golden.params, mask, golden.batch, None)
        scale = np.asarray(reference_scale(method, scores, golden), np.float64)
        prefix = f"scores/{method}/"
        names = [key.removeprefix(prefix) for key in golden.arrays if key.startswith(prefix)]
        assert len(names) >= 3
        for name in names:
            expected = golden.arrays[prefix + name]
            error = np.abs(np.asarray(scores[name], np.float64) / scale - expected).max()
            assert error <= tolerance * np.abs(expected).max(), name


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("method", "rounds"), ROUNDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_masks(network: str, method: str, rounds: int, dtype: str) -> None:
    with jax.enable_x64(dtype == "float64"):
        golden = load(network, dtype)
        scores = score_fn(method, golden)
        prefix = f"{method}/rounds={rounds}/log10_compression="
        cases = [key.removeprefix(prefix) for key in golden.kept if key.startswith(prefix)]
        assert len(cases) >= 3
        for case in cases:
            mask, history = sf.prune(
                scores,
                golden.params,
                10 ** float(case),
                batch=golden.batch,
                rounds=rounds,
                prunable=golden.prunable,
            )
            kept = golden.kept[prefix + case]
            assert int(history.kept[-1]) == sum(kept.values())
            pairs = {n: (np.asarray(mask[n]), golden.mask(method, rounds, case, n)) for n in kept}
            differing = sum(np.sum(ours & ~theirs) for ours, theirs in pairs.values())
            if dtype == "float64":
                assert differing == 0, case
            elif rounds == 1:
                assert differing <= 0.001 * sum(kept.values()), case
            else:
                for name, (ours, theirs) in pairs.items():
                    if theirs.sum() > 100:
                        assert abs(int(ours.sum()) - theirs.sum()) <= 0.15 * theirs.sum(), name


def train_losses(name: str, loss_fn: LossFn, optimizer: optax.GradientTransformation) -> None:
    """Twelve steps of a pruned network: the reference's losses and final weights."""
    arrays = dict(np.load(GOLDEN / f"{name}.npz"))
    params = {n: jnp.asarray(arrays[f"params/{n}"], jnp.float64) for n in arrays["order"].tolist()}
    mask = {
        n: jnp.asarray(unpacked(arrays[f"masks/{n}"], p.shape) if f"masks/{n}" in arrays else True)
        for n, p in params.items()
    }
    optimizer = sf.keep_params_sparse(optimizer, mask)

    @jax.jit
    def train_step(params, state, batch):
        loss, gradient = jax.value_and_grad(loss_fn)(params, batch)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, loss

    params = sf.apply_mask(mask, params)
    state, losses = optimizer.init(params), []
    for x, labels in zip(arrays["inputs"], arrays["labels"], strict=True):
        batch = jnp.asarray(x, jnp.float64), jnp.asarray(labels)
        params, state, loss = train_step(params, state, batch)
        losses.append(float(loss))
    assert train_step._cache_size() == 1
    np.testing.assert_allclose(losses, arrays["losses"], rtol=0, atol=1e-9)
    finals = [n.removeprefix("final/") for n in arrays if n.startswith("final/")]
    assert finals
    for n in finals:
        np.testing.assert_allclose(
            sf.apply_mask(mask, params)[n], arrays[f"final/{n}"], rtol=1e-6, atol=1e-7
        )
        np.testing.assert_array_equal(np.asarray(params[n])[~np.asarray(mask[n])], 0.0)


@pytest.mark.parametrize(("name", "apply_fn"), [("train_mlp", mlp), ("train_bn", train_bn)])
def test_training(name: str, apply_fn) -> None:
    with jax.enable_x64(True):
        optimizer = optax.chain(
            optax.add_decayed_weights(5e-4),
            optax.sgd(lambda step: jnp.where(step < 6, 0.05, 0.005), momentum=0.9, nesterov=True),
        )
        train_losses(name, sf.cross_entropy(apply_fn), optimizer)
