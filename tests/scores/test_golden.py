"""Parity with reference numbers computed in float64 by the method's authors' program."""

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden_networks import GOLDEN, Golden, load, mlp, train_bn, unpacked

import synflow_jax as sf
from synflow_jax.types import LossFn, ScoreFn

pytestmark = pytest.mark.optimized
NETWORKS = ["mlp", "conv", "resnet20"]
METHODS = ["magnitude", "snip", "grasp", "synflow"]
ROUNDS = [("magnitude", 1), ("snip", 1), ("grasp", 1), ("synflow", 1), ("synflow", 100)]
TOLERANCES = {"float64": 1e-5, "float32": 1e-3}


def score_fn_of(method: str, golden: Golden) -> ScoreFn:
    return {
        "magnitude": sf.magnitude,
        "snip": lambda: sf.snip(sf.cross_entropy(golden.apply_fn)),
        "grasp": lambda: sf.grasp(sf.cross_entropy(golden.apply_fn, temperature=200.0)),
        "synflow": lambda: sf.synflow(golden.apply_fn, golden.ones),
    }[method]()


def reference_scale(method: str, scores: dict[str, Any], golden: Golden, exponent: int) -> Any:
    """What the reference divides all scores by."""
    prunable = [s for name, s in scores.items() if golden.prunable(name, s)]
    return {
        "magnitude": lambda: 1.0,
        "snip": lambda: sum(np.sum(s) for s in prunable),
        "grasp": lambda: np.abs(sum(np.sum(s) for s in prunable)) + 1e-10,
        # Ours are divided by a power of two already.
        "synflow": lambda: golden.arrays["synflow/flow"] / 2.0**exponent,
    }[method]()


class Pruned(NamedTuple):
    """What pruning a golden network gave.

    Attributes:
        golden: the network.
        scores: of the first round of one, with the flow's exponent.
        masks: by the golden file's name of the compression, with the number of weights kept.
    """

    golden: Golden
    scores: tuple[dict[str, np.ndarray], int] | None
    masks: dict[str, tuple[Any, int]]


@cache
def pruned(network: str, method: str, rounds: int, dtype: str) -> Pruned:
    """To all compressions of the golden file, by one program that also gives the scores."""
    seen: list[Any] = []
    with jax.enable_x64(dtype == "float64"):
        golden = load(network, dtype)
        score_fn = score_fn_of(method, golden)

        def observed(params: Any, mask: Any, *rest: Any) -> Any:
            scores, exponent = score_fn(params, mask, *rest), jnp.int32(0)
            if method == "synflow":
                kept = sf.apply_mask(mask, params)
                exponent = sf.flow(golden.apply_fn, kept, golden.ones).exponent
            if rounds == 1:
                jax.debug.callback(lambda *found: seen.append(found), scores, exponent)
            return scores

        prefix = f"{method}/rounds={rounds}/log10_compression="
        cases = [key.removeprefix(prefix) for key in golden.kept if key.startswith(prefix)]
        options = {"batch": golden.batch, "rounds": rounds, "prunable": golden.prunable}
        masks = {}
        for case in cases:
            mask, history = sf.prune(observed, golden.params, 10 ** float(case), **options)
            masks[case] = jax.device_get(mask), int(history.kept[-1])
        jax.effects_barrier()
    return Pruned(golden, jax.device_get(seen[0]) if seen else None, masks)


@pytest.mark.parametrize("network", NETWORKS)
def test_logits(network: str) -> None:
    with jax.enable_x64(True):
        golden = load(network, jnp.float64)
        logits = jax.jit(golden.apply_fn)(golden.params, golden.batch[0])
        np.testing.assert_allclose(logits, golden.arrays["logits"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_scores(network: str, method: str, dtype: str) -> None:
    golden, found, _ = pruned(network, method, 1, dtype)
    assert found is not None
    scores, exponent = found
    scores = {name: np.asarray(score, np.float64) for name, score in scores.items()}
    scale = np.float64(reference_scale(method, scores, golden, int(exponent)))
    prefix = f"scores/{method}/"
    names = [key.removeprefix(prefix) for key in golden.arrays if key.startswith(prefix)]
    assert len(names) >= 3
    for name in names:
        expected = golden.arrays[prefix + name]
        error = np.abs(scores[name] / scale - expected).max()
        assert error <= TOLERANCES[dtype] * np.abs(expected).max(), name


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("method", "rounds"), ROUNDS)
def test_masks(network: str, method: str, rounds: int, dtype: str) -> None:
    golden, _, masks = pruned(network, method, rounds, dtype)
    assert len(masks) >= 3
    for case, (mask, kept_in_all) in masks.items():
        kept = golden.kept[f"{method}/rounds={rounds}/log10_compression={case}"]
        assert kept_in_all == sum(kept.values())
        pairs = {n: (mask[n], golden.mask(method, rounds, case, n)) for n in kept}
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
