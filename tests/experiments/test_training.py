"""Training: parity with the reference, exact resuming, evaluation, presets, the command."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_training
from flax import nnx
from golden_networks import GOLDEN, unpacked
from tiny_training import Examples, assert_same, examples, tiny, tiny_state

import synflow_jax as sf
from experiments.training import (
    Recipe,
    Setup,
    TrainState,
    evaluate,
    init_state,
    sgd,
    shuffled_batches,
    split_network,
    train_epoch,
    train_steps,
)

pytestmark = pytest.mark.usefixtures("others_promote")


class ReferenceNetwork(nnx.Module):
    """The network of ``golden/train_bn.npz`` in float64."""

    def __init__(self) -> None:
        rngs, float64 = nnx.Rngs(0), {"param_dtype": jnp.float64}
        widths = [8, 16, 32, 512]
        self.convs = nnx.List(
            nnx.Conv(*pair, (3, 3), padding=1, rngs=rngs, **float64)
            for pair in zip([3, *widths], widths, strict=False)
        )
        self.norms = nnx.List(
            nnx.BatchNorm(width, momentum=0.9, epsilon=1e-5, rngs=rngs, **float64)
            for width in widths
        )
        for norm in self.norms:
            # Flax starts them in float32 whatever the type of the params.
            norm.mean = nnx.BatchStat(norm.mean[...].astype(jnp.float64))
            norm.var = nnx.BatchStat(norm.var[...].astype(jnp.float64))
        self.dense = nnx.Linear(512, 10, rngs=rngs, **float64)

    def __call__(self, x: jax.Array) -> jax.Array:
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = nnx.relu(norm(conv(x)))
            x = x if index == 2 else nnx.max_pool(x, (2, 2), (2, 2))
        return self.dense(x.mean((1, 2)))

    def variables(self) -> dict[str, nnx.Variable]:
        """Params by their names in the file."""
        named = {"fc.weight": self.dense.kernel, "fc.bias": self.dense.bias}
        for place, conv, norm in zip((0, 2, 4, 5), self.convs, self.norms, strict=True):
            named[f"layers.{place}.conv.weight"] = conv.kernel
            named[f"layers.{place}.conv.bias"] = conv.bias
            named[f"layers.{place}.bn.weight"] = norm.scale
            named[f"layers.{place}.bn.bias"] = norm.bias
        return named


def test_reference_training() -> None:
    """Losses, weights, running statistics and logits of the reference's twelve steps."""
    arrays = dict(np.load(GOLDEN / "train_bn.npz"))
    with jax.enable_x64(True):
        model = ReferenceNetwork()
        for name, variable in model.variables().items():
            variable[...] = jnp.asarray(arrays[f"params/{name}"], jnp.float64)
        graph, network = split_network(model)
        masked = nnx.merge(graph, sf.full_mask(network.params), network.state)
        for name, variable in masked.variables().items():
            if f"masks/{name}" in arrays:
                kept = unpacked(arrays[f"masks/{name}"], variable.shape)
                variable.set_value(jnp.asarray(kept))
        mask = nnx.split(masked, nnx.Param, ...)[1]

        recipe = Recipe(2, 0.05, drops=(1,), weight_decay=5e-4, batch_size=16)
        setup = Setup(graph, sgd(recipe, 6), lambda x, _: x, lambda x: x, recipe.batch_size)
        state = init_state(setup, network, mask, jax.random.key(0))
        images = jnp.asarray(arrays["inputs"], jnp.float64).reshape(2, 96, 16, 16, 3)
        labels = jnp.asarray(arrays["labels"]).reshape(2, 96)
        batches, keys = jnp.arange(96).reshape(6, 16), jax.random.split(state.key, 6)
        steps, losses = jax.jit(train_steps, static_argnums=0), []
        for epoch in range(2):
            data = Examples(images[epoch], labels[epoch])
            state, metrics = steps(setup, state, data, batches, keys)
            losses += np.asarray(metrics.loss).tolist()
        assert steps._cache_size() == 1
        np.testing.assert_allclose(losses, arrays["losses"], rtol=0, atol=1e-9)

        trained = nnx.merge(graph, state.params, state.model_state)
        for name, variable in trained.variables().items():
            if f"final/{name}" in arrays:
                np.testing.assert_allclose(
                    variable[...], arrays[f"final/{name}"], rtol=1e-6, atol=1e-7
                )
        assert_running_statistics(trained, arrays)


def assert_running_statistics(model: ReferenceNetwork, arrays: dict[str, np.ndarray]) -> None:
    """The reference's variances are of samples: n / (n - 1) times ours, but for their start at 1.
    Afterward the model has them, and must give the reference's logits.
    """
    start = 0.9**12
    for place, side, norm in zip((0, 2, 4, 5), (16, 8, 4, 4), model.norms, strict=True):
        prefix = f"final_buffers/layers.{place}.bn.running"
        np.testing.assert_allclose(norm.mean[...], arrays[f"{prefix}_mean"], rtol=1e-6, atol=1e-7)
        n = 16 * side**2
        variance = start + (norm.var[...] - start) * n / (n - 1)
        np.testing.assert_allclose(variance, arrays[f"{prefix}_var"], rtol=1e-6, atol=1e-7)
        norm.var[...] = variance
    inference = nnx.view(model, use_running_average=True)
    logits = inference(jnp.asarray(arrays["inputs"][0], jnp.float64))
    np.testing.assert_allclose(logits, arrays["eval_logits"], rtol=1e-6, atol=1e-6)


def test_each_epoch_is_a_new_order_of_different_examples() -> None:
    first, second = (shuffled_batches(jax.random.key(i), 50, 16) for i in range(2))
    assert first.shape == (3, 16)
    assert len(np.unique(first)) == 48
    assert not np.array_equal(first, second)


def test_one_compilation_for_all_masks_seeds_and_epochs() -> None:
    model, setup = tiny()
    data, sizes = examples(200, 1), []
    for seed, compression in ((0, 2.0), (1, 8.0)):
        state = tiny_state(model, setup, seed=seed, compression=compression)
        for _ in range(2):
            state, _ = train_epoch(setup, state, data)
            evaluate(setup, state, data)
            sizes.append((train_epoch._cache_size(), evaluate._cache_size()))
    assert len(set(sizes)) == 1


def trained(setup: Setup, state: TrainState, data: Examples, epochs: int, *, many: bool = False):
    """The state after some epochs and the last one's metrics."""
    for _ in range(epochs - 1):
        state, _ = train_epoch(setup, state, data, many=many)
    return train_epoch(setup, state, data, many=many)


def test_training_learns_keeps_zeros_and_repeats_itself() -> None:
    model, setup = tiny()
    data = examples(200, 1)
    results = []
    for _ in range(2):
        state = tiny_state(model, setup)
        mask = jax.device_get(state.optimizer_state.mask)
        state, metrics = trained(setup, state, data, 12)
        params = jax.device_get(state.params)
        pruned = jax.tree.map(lambda m, x: np.any(~m & (x != 0)), mask, params)
        assert not any(jax.tree.leaves(pruned))
        assert metrics.loss.shape == (12,)
        assert float(metrics.top1.mean()) > 0.5
        assert np.all(metrics.top5 >= metrics.top1)
        assert int(state.epoch) == 12
        results.append(state)
    assert_same(*results)


def test_the_state_given_is_donated_and_the_network_is_not() -> None:
    model, setup = tiny()
    _, network = split_network(model)
    mask = sf.full_mask(network.params)
    state = init_state(setup, network, mask, jax.random.key(0))
    train_epoch(setup, state, examples(200, 1))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((network, mask)))


@pytest.mark.parametrize("batch_size", [7, 16, 50, 1000])
def test_evaluation_counts_each_example_once(batch_size: int) -> None:
    model, setup = tiny()
    state, data = tiny_state(model, setup, compression=1.0), examples(50, 2)
    metrics = evaluate(setup, state, data, batch_size=batch_size)
    inference = nnx.view(model, deterministic=True, use_running_average=True)
    logits = np.asarray(inference(tiny_training.plain(data.images)), np.float64)
    labels = np.asarray(data.labels)
    ranks = (logits > logits[np.arange(50), labels][:, None]).sum(axis=1)
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(50), labels]
    np.testing.assert_allclose(metrics.loss, losses.mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics.top1, np.mean(ranks < 1), rtol=1e-6)
    np.testing.assert_allclose(metrics.top5, np.mean(ranks < 5), rtol=1e-6)
    assert 0 < metrics.top1 < metrics.top5 < 1


def test_many_masks_at_once_train_as_each_alone() -> None:
    model, setup = tiny()
    data = examples(200, 1)
    cases = [(0, 1.0), (1, 4.0), (2, 16.0)]
    states = [tiny_state(model, setup, seed=s, compression=c) for s, c in cases]
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    together, metrics = trained(setup, together, data, 2, many=True)
    tested = evaluate(setup, together, data, many=True)
    for index, first in enumerate(states):
        state, alone = trained(setup, first, data, 2)
        np.testing.assert_allclose(metrics.loss[index], alone.loss, rtol=1e-3)
        expected = evaluate(setup, state, data)
        np.testing.assert_allclose(tested.loss[index], expected.loss, rtol=1e-3)


def test_bfloat16_computes_in_it_and_keeps_float32_params() -> None:
    model, setup = tiny(compute_dtype=jnp.bfloat16)
    _, single = tiny()
    data = examples(200, 1)
    state, reference = tiny_state(model, setup), tiny_state(model, single)
    state, metrics = trained(setup, state, data, 4)
    _, expected = trained(single, reference, data, 4)
    assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {jnp.dtype(jnp.float32)}
    assert metrics.loss.dtype == jnp.float32
    difference = np.abs(np.asarray(metrics.loss) - np.asarray(expected.loss)).max()
    assert 1e-6 < difference < 0.1
