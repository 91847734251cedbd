"""How the zoo's params are drawn."""

import math

import numpy as np
import pytest
from flax import nnx
from small_models import small

from synflow_jax.checks import named_leaves
from synflow_jax.models.plans import PLANS

pytestmark = pytest.mark.usefixtures("others_promote")
FAN_OF_CONVOLUTIONS = {"default": "in", "lottery": "in", "tinyimagenet": "out", "imagenet": "out"}


@pytest.mark.parametrize(
    ("name", "conv_gain", "dense"),
    [
        ("default/fc", 1 / 3, "uniform"),
        ("default/conv", 1 / 3, "uniform"),
        ("lottery/vgg11-bn", 2, "kaiming"),
        ("lottery/resnet20", 2, "kaiming"),
        ("tinyimagenet/vgg11-bn", 2, "small"),
        ("tinyimagenet/resnet18", 2, "uniform"),
        ("imagenet/resnet18", 2, "uniform"),
    ],
)
def test_initialization(name, conv_gain, dense):
    family = name.split("/")[0]
    shape, classes = ((32, 32, 3), 10) if family == "default" else ((64, 64, 3), 200)
    params = dict(named_leaves(nnx.state(small(name, shape, classes), nnx.Param)))
    for path, leaf in params.items():
        layer, _, kind = path.rpartition("/")
        weight = np.asarray(params.get(f"{layer}/kernel"))
        value = np.asarray(leaf, np.float64).ravel()
        if kind == "scale":
            assert np.all(value == 1), path
        elif kind == "bias" and (family != "default" and (weight.ndim != 2 or dense != "uniform")):
            assert np.all(value == 0), path
        elif kind == "bias":
            bound = 1 / math.sqrt(math.prod(weight.shape[:-1]))
            assert 0.8 * bound < np.abs(value).max() <= bound, path
            assert value.min() < 0 < value.max(), path
        else:
            fan_out = weight.ndim == 4 and FAN_OF_CONVOLUTIONS[family] == "out"
            fan = weight.size / weight.shape[-2 if fan_out else -1]
            gain = conv_gain if weight.ndim == 4 else {"uniform": 1 / 3, "kaiming": 2}.get(dense)
            deviation = 0.01 if gain is None else math.sqrt(gain / fan)
            check_distribution(value / deviation, gain == 1 / 3, path)


def check_distribution(value, uniform, path):
    """Mean 0 and deviation 1 within 5 standard errors, and the right tails."""
    fourth_moment = 1.8 if uniform else 3
    assert abs(value.mean()) < 5 / math.sqrt(value.size), path
    error = 5 * math.sqrt((fourth_moment - 1) / value.size)
    assert abs(np.mean(value**2) - 1) < error, path
    if uniform:
        assert np.abs(value).max() <= math.sqrt(3) * (1 + 1e-6), path
    elif value.size > 2000:
        # Of a normal distribution cut at 2 deviations nothing would be out here.
        assert np.abs(value).max() > 2.5, path


def test_imagenet_vgg_starts_as_tinyimagenet_vgg():
    ours, theirs = PLANS["imagenet/vgg16"], PLANS["tinyimagenet/vgg16"]
    assert (ours.conv_init, ours.dense_init) == (theirs.conv_init, theirs.dense_init)
