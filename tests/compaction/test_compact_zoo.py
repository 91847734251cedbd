"""The zoo's networks: outputs, gradients and training of what is left."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from compact_checks import (
    Case,
    assert_close,
    check_nothing_more_goes,
    check_same,
    check_shrink_and_expand,
    removed_zeroed,
    sizes,
)
from jax import lax
from narrow_models import Model, narrow, narrow_plan, pruned, score_fn

import synflow_jax as sf
from synflow_jax.models import resnet

pytestmark = [pytest.mark.usefixtures("others_promote", "wide"), pytest.mark.unoptimized]


# Name, how many times narrower, image size, method, compression.
NETWORKS = [
    ("default/fc", 4, 4, "snip", 10),
    ("default/conv", 4, 4, "snip", 30),
]
SLOW = [
    ("lottery/vgg11-bn", 16, 16, "synflow", 20),
    ("lottery/resnet20", 4, 8, "synflow", 20),
    ("lottery/vgg11", 16, 16, "synflow", 30),
    ("lottery/vgg11-bn", 16, 16, "snip", 5),
    ("lottery/vgg16", 16, 16, "random", 2),
    ("lottery/vgg16-bn", 8, 16, "synflow", 100),
    ("lottery/vgg19-bn", 16, 16, "synflow", 20),
    ("lottery/resnet32", 4, 8, "snip", 10),
    ("lottery/wide-resnet20", 4, 8, "synflow", 50),
    ("tinyimagenet/vgg11-bn", 16, 32, "synflow", 50),
    ("tinyimagenet/resnet18", 16, 8, "synflow", 50),
    ("tinyimagenet/resnet50", 16, 8, "synflow", 50),
    ("tinyimagenet/wide-resnet34", 16, 8, "snip", 50),
    ("imagenet/vgg11", 16, 32, "snip", 20),
    ("imagenet/resnet18", 16, 32, "synflow", 50),
    ("imagenet/resnet50", 16, 32, "snip", 20),
    ("imagenet/wide-resnet50", 16, 32, "synflow", 50),
]


@pytest.mark.parametrize(
    ("name", "by", "size", "method", "compression"),
    [*NETWORKS, *(pytest.param(*row, marks=pytest.mark.slow) for row in SLOW)],
)
def test_the_zoo(name: str, by: int, size: int, method: str, compression: float) -> None:
    model = narrow(narrow_plan(name, by), size)
    check_model(model, pruned(model, score_fn(model, method), compression, rounds=20))


def check_model(model: Model, mask: Any) -> sf.Compact:
    case = Case(model.inference, model.variables, mask, model.inputs)
    small = sf.compact(*case)
    assert sizes(small.params) < sizes(case.params)
    check_same(case, small)
    check_shrink_and_expand(small)
    check_nothing_more_goes(small, case.inputs)
    return small


def test_blocks_in_a_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resnet, "SCAN_FROM", 3)
    plan = narrow_plan("lottery/resnet20", 4, (4,))
    plan = replace(plan, widths=(4,), inner_widths=(4,))
    model = narrow(plan, 6)
    mask = pruned(model, score_fn(model, "random"), 4)
    # All blocks of a scan keep the same units.
    for index, block in mask["params"]["blocks"].items():
        if index:
            block["conv1"]["kernel"] = block["conv1"]["kernel"].replace(
                block["conv1"]["kernel"][...] & (jnp.arange(4) > 1).reshape(1, 1, 1, -1)
            )
    check_model(model, mask)


BATCH_NORM = [
    (narrow_plan("lottery/vgg11-bn", 16), 16),
    pytest.param(narrow_plan("lottery/resnet20", 2, (1, 1, 1)), 8, marks=pytest.mark.slow),
    pytest.param(narrow_plan("lottery/resnet20", 2), 8, marks=pytest.mark.slow),
    pytest.param(narrow_plan("tinyimagenet/resnet50", 16, (2, 1, 1, 1)), 8, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("plan", "size"), BATCH_NORM, ids=["VGG", "ResNet", "deep", "bottlenecks"])
def test_training_with_batch_statistics(plan: Any, size: int) -> None:
    model = narrow(plan, size)
    mask = pruned(model, score_fn(model, "synflow"), 10, rounds=20)
    small = sf.compact(model.inference, model.variables, mask, model.inputs)
    rng = np.random.default_rng(0)
    batches = jax.device_put(rng.normal(size=(12, *model.inputs.shape)))
    labels = jax.device_put(rng.integers(0, 3, (12, len(model.inputs))))

    def loss_fn(params: Any, statistics: Any, x: Any, labels: Any) -> Any:
        logits, statistics = model.training({"params": params, "statistics": statistics}, x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), statistics

    def trained(loss_fn: Any, variables: Any, mask: Any) -> Any:
        """By two optimizers in turns, in one compiled call."""
        optimizers = (
            optax.chain(optax.add_decayed_weights(1e-2), optax.sgd(0.05, momentum=0.9)),
            optax.adamw(0.01, weight_decay=0.1),
        )

        def run(variables: Any, tx: Any) -> Any:
            def step(state: Any, batch: Any) -> Any:
                params, statistics, inner = state
                (loss, statistics), gradient = jax.value_and_grad(loss_fn, has_aux=True)(
                    params, statistics, *batch
                )
                updates, inner = tx.update(gradient, inner, params)
                return (optax.apply_updates(params, updates), statistics, inner), loss

            start = variables["params"], variables["statistics"]
            state, losses = lax.scan(step, (*start, tx.init(start[0])), (batches, labels))
            return losses, {"params": state[0], "statistics": state[1]}

        def both(variables: Any) -> Any:
            first = run(variables, sf.keep_params_sparse(optimizers[0], mask["params"]))
            return first, run(first[1], sf.keep_params_sparse(optimizers[1], mask["params"]))

        return jax.jit(both)(variables)

    def flat_loss(variables: Any, x: Any, labels: Any) -> Any:
        return loss_fn(variables["params"], variables["statistics"], x, labels)

    small_fn = small.of(flat_loss)

    def small_loss(params: Any, statistics: Any, x: Any, labels: Any) -> Any:
        return small_fn({"params": params, "statistics": statistics}, x, labels)

    whole = sf.apply_mask(mask, model.variables)
    expected = trained(loss_fn, whole, mask)
    found = trained(small_loss, small.params, small.mask)
    for (losses, variables), (small_losses, left) in zip(expected, found, strict=True):
        assert np.ptp(losses) > 0.01
        np.testing.assert_allclose(small_losses, losses, rtol=1e-9, atol=1e-9)
        assert_close(small.expand(left), removed_zeroed(small, variables), 1e-9, "variables")
    inference, small_inference = map(jax.jit, (model.inference, small.apply_fn))
    outputs = inference(whole, model.inputs)
    assert_close(small_inference(small.params, model.inputs), outputs, 1e-12, "before")
    outputs = inference(expected[-1][1], model.inputs)
    assert_close(small_inference(found[-1][1], model.inputs), outputs, 1e-9, "after")
