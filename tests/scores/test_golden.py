"""Parity with reference numbers computed in float64 by the method's authors' program."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden_checks import METHODS, ROUNDS, TOLERANCES, check_logits, check_masks, check_scores
from golden_networks import GOLDEN, mlp, train_bn, unpacked

import synflow_jax as sf
from synflow_jax.types import LossFn

NETWORKS = ["mlp", "conv"]


@pytest.mark.parametrize("network", NETWORKS)
def test_logits(network: str) -> None:
    check_logits(network)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_scores(network: str, method: str, dtype: str) -> None:
    check_scores(network, method, dtype)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("method", "rounds"), ROUNDS)
def test_masks(network: str, method: str, rounds: int, dtype: str) -> None:
    check_masks(network, method, rounds, dtype)


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
