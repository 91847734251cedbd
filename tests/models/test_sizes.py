"""The zoo's names, sizes and layouts."""

import csv
import math
from collections import Counter
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax import lax
from small_models import abstract

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")
GOLDEN = Path(__file__).parents[1] / "golden"


with (GOLDEN / "model_sizes.csv").open() as file:
    SIZES = [
        {key: int(value) if value.isdigit() else value for key, value in row.items()}
        for row in csv.DictReader(file)
    ]


WIDER_THAN_THEIRS = {
    f"tinyimagenet/wide-resnet{depth}": f"tinyimagenet/resnet{depth}" for depth in (18, 34)
}


def counts(state):
    leaves = jax.tree.leaves(nnx.filter_state(state, nnx.Param))
    kernels = [math.prod(leaf.shape) for leaf in leaves if leaf.ndim >= 2]
    return len(kernels), sum(kernels), sum(math.prod(leaf.shape) for leaf in leaves)


def twice_as_wide(weights, parameters, stem=3 * 3 * 3 * 64, output=512 * 200, classes=200):
    """Counts of a network whose widths are doubled: images and classes stay as many."""
    wide = 4 * (weights - stem - output) + 2 * stem + 2 * output
    return wide, wide + 2 * (parameters - weights - classes) + classes


def test_names_are_those_of_the_table():
    table = {f"{row['family']}/{row['model']}" for row in SIZES}
    later = {"vit/tiny-16", "vit/s-16", "vit/b-16", "mixer/s-16", "mixer/b-16"}
    assert set(sf.models.names()) == table | later


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(
            row,
            id=f"{row['family']}/{row['model']}-{row['classes']}",
            marks=[pytest.mark.slow] if "1202" in str(row["model"]) else [],
        )
        for row in SIZES
    ],
)
def test_sizes(row):
    name = f"{row['family']}/{row['model']}"
    expected = row["prunable_layers"], row["prunable_weights"], row["trainable_parameters"]
    if name in WIDER_THAN_THEIRS:
        expected = expected[0], *twice_as_wide(*expected[1:])
        for count in expected[1:]:
            assert f"{count:,}" in str(sf.models.create.__doc__)
    input_shape = tuple(map(int, row["input_hwc"].split("x")))
    _, state = abstract(name, row["classes"], input_shape)
    assert counts(state) == expected


@pytest.mark.parametrize(
    ("name", "side", "expected"),
    [
        ("default/conv", 32, {32: 2}),
        ("lottery/vgg16-bn", 32, {32: 2, 16: 2, 8: 3, 4: 3, 2: 3}),
        ("lottery/resnet20", 32, {32: 7, 16: 7, 8: 7}),
        ("tinyimagenet/vgg16", 64, {64: 2, 32: 2, 16: 3, 8: 3, 4: 3}),
        ("tinyimagenet/resnet18", 64, {64: 5, 32: 5, 16: 5, 8: 5}),
        ("tinyimagenet/wide-resnet18", 64, {64: 5, 32: 5, 16: 5, 8: 5}),
        ("imagenet/vgg16", 224, {224: 2, 112: 2, 56: 3, 28: 3, 14: 3}),
        # In a bottleneck the 3x3 convolution strides, so one 1x1 still sees the larger map.
        ("imagenet/resnet50", 224, {112: 1, 56: 11, 28: 13, 14: 19, 7: 9}),
    ],
)
def test_feature_maps(name, side, expected):
    """How many convolutions put out each size, and the logits' shape."""
    apply_fn, state = abstract(name, 7, (side, side, 3))
    images = jax.ShapeDtypeStruct((2, side, side, 3), jnp.float32)
    jaxpr = jax.make_jaxpr(apply_fn)(state, images)
    sizes = [
        equation.outvars[0].aval.shape[1]
        for equation in jaxpr.eqns
        if equation.primitive is lax.conv_general_dilated_p
    ]
    assert Counter(sizes) == expected
    assert [aval.shape for aval in jaxpr.out_avals] == [(2, 7)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("default/fc", 5),
        ("default/conv", 2),
        ("lottery/vgg16-bn", 13),
        ("lottery/resnet20", 19),
        ("tinyimagenet/vgg11", 10),
        ("imagenet/resnet50", 49),
    ],
)
def test_activation_is_used_everywhere(name, expected):
    calls = []

    def activation(x):
        calls.append(x.shape)
        return x

    apply_fn, state = abstract(name, 10, (64, 64, 3), activation=activation)
    jaxpr = jax.make_jaxpr(apply_fn)(state, jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32))
    assert len(calls) == expected
    assert "max(" not in str(jaxpr).replace("reduce_window_max", "")
