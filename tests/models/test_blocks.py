"""Parts of the zoo's networks."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import synflow_jax as sf
from synflow_jax.checks import named_leaves
from synflow_jax.models import resnet
from synflow_jax.models.layers import KAIMING_FAN_IN
from synflow_jax.models.vgg import mean_pool

pytestmark = pytest.mark.usefixtures("others_promote")


def small_resnet():
    widths = (4,)
    plan = resnet.ResNetPlan(
        widths=widths,
        depths=(4,),
        inner_widths=widths,
        bottleneck=False,
        stem_width=4,
        large_stem=False,
        conv_init=KAIMING_FAN_IN,
        dense_init=KAIMING_FAN_IN,
    )
    return resnet.ResNet(
        plan, (8, 8, 3), 5, activation=jax.nn.relu, dense_classifier=False, rngs=nnx.Rngs(0)
    )


def train_and_apply(model, images):
    """Logits in training mode, then in inference mode, and the gradient of the latter."""
    logits = model(images)
    apply_fn, params = sf.from_nnx(model)
    gradient = jax.grad(lambda params: jnp.sum(apply_fn(params, images) ** 2))(params)
    return logits, apply_fn(params, images), gradient


def test_scanned_blocks_compute_the_same(monkeypatch):
    images = jax.random.normal(jax.random.key(0), (3, 8, 8, 3))
    results = []
    for scan_from in (100, 2):
        monkeypatch.setattr(resnet, "SCAN_FROM", scan_from)
        model = small_resnet()
        apply_fn, params = sf.from_nnx(model)
        scans = "scan" in str(jax.make_jaxpr(apply_fn)(params, images))
        assert scans == (scan_from == 2)
        compiled = nnx.jit(lambda model: train_and_apply(model, images))
        results.append((compiled(model), nnx.state(model, nnx.BatchStat)))
    for (name, ours), (_, theirs) in zip(*map(named_leaves, results), strict=True):
        scale = float(jnp.abs(ours).max())
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * scale, err_msg=name)


@pytest.mark.parametrize(("side", "size"), [(7, 7), (14, 7), (10, 7), (4, 7), (5, 1), (9, 2)])
def test_mean_pool_averages_bins(side, size):
    x = np.asarray(jax.random.normal(jax.random.key(0), (2, side, side + 1, 3)))

    def bins(length):
        return [slice(i * length // size, math.ceil((i + 1) * length / size)) for i in range(size)]

    expected = np.stack(
        [
            np.stack([x[:, rows, columns].mean(axis=(1, 2)) for columns in bins(side + 1)], 1)
            for rows in bins(side)
        ],
        axis=1,
    )
    np.testing.assert_allclose(mean_pool(jnp.asarray(x), size), expected, rtol=1e-4, atol=1e-6)
