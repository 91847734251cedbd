"""The zoo: sizes, layouts, initialization, checkpoints."""

import csv
import math
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax
from safetensors.numpy import save_file

import synflow_jax as sf
from synflow_jax.checks import named_leaves
from synflow_jax.models import resnet
from synflow_jax.models.layers import KAIMING_FAN_IN
from synflow_jax.models.plans import PLANS
from synflow_jax.models.vgg import mean_pool

pytestmark = pytest.mark.usefixtures("others_promote")
GOLDEN = Path(__file__).parent / "golden"
with (GOLDEN / "model_sizes.csv").open() as file:
    SIZES = [
        {key: int(value) if value.isdigit() else value for key, value in row.items()}
        for row in csv.DictReader(file)
    ]
WIDER_THAN_THEIRS = {
    f"tinyimagenet/wide-resnet{depth}": f"tinyimagenet/resnet{depth}" for depth in (18, 34)
}


def abstract(name, num_classes, input_shape, **options):
    """The model in inference mode as a function of its state, and the state's shapes."""

    def make():
        return sf.models.create(
            name, num_classes=num_classes, input_shape=input_shape, rngs=nnx.Rngs(0), **options
        )

    # Tracing takes time that grows with the square of the number of random keys.
    model = make() if "1202" in name else nnx.eval_shape(make)
    view = nnx.view(model, deterministic=True, use_running_average=True, raise_if_not_found=False)
    graph, state = nnx.split(view)
    return lambda state, x: nnx.merge(graph, state)(x), state


def small(name, shape=(32, 32, 3), classes=10, **options):
    return sf.models.create(
        name, num_classes=classes, input_shape=shape, rngs=nnx.Rngs(0), **options
    )


def counts(state):
    leaves = jax.tree.leaves(nnx.filter_state(state, nnx.Param))
    kernels = [math.prod(leaf.shape) for leaf in leaves if leaf.ndim >= 2]
    return len(kernels), sum(kernels), sum(math.prod(leaf.shape) for leaf in leaves)


def twice_as_wide(weights, parameters, stem=3 * 3 * 3 * 64, output=512 * 200, classes=200):
    """Counts of a network whose widths are doubled: images and classes stay as many."""
    wide = 4 * (weights - stem - output) + 2 * stem + 2 * output
    return wide, wide + 2 * (parameters - weights - classes) + classes


def test_names_are_those_of_the_table():
    assert set(sf.models.names()) == {f"{row['family']}/{row['model']}" for row in SIZES}


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


def golden_path(name):
    """The path here of a parameter of the golden ResNet-20."""
    for old, new in [
        ("shortcut.0", "shortcut"),
        ("shortcut.1", "shortcut_norm"),
        ("bn", "norm"),
        ("fc", "output"),
    ]:
        name = name.replace(old, new)
    layer, _, kind = name.rpartition(".")
    kind = ("scale" if "norm" in layer else "kernel") if kind == "weight" else kind
    return f"{layer}.{kind}".replace(".", "/")


@pytest.mark.slow
def test_golden_resnet20():
    golden = np.load(GOLDEN / "resnet20.npz", allow_pickle=False)
    arrays = {
        golden_path(name.removeprefix("params/")): golden[name]
        for name in golden.files
        if name.startswith("params/")
    }
    with jax.enable_x64(True):
        model = small("lottery/resnet20")
        nnx.update(model, jax.tree.map(lambda x: x.astype(jnp.float64), nnx.state(model)))
        apply_fn, params = sf.from_nnx(model)
        names = [name for name, _ in named_leaves(params)]
        unused = set(arrays) - set(names)
        assert {name.rpartition("/")[0].rpartition("/")[2] for name in unused} == {"shortcut"}
        assert all(np.all(arrays[name] == 1) for name in unused)
        leaves = [jnp.asarray(arrays[name], jnp.float64) for name in names]
        params = jax.tree.unflatten(jax.tree.structure(params), leaves)
        logits = jax.jit(apply_fn)(params, jnp.asarray(golden["inputs"], jnp.float64))
        np.testing.assert_allclose(logits, golden["logits"], rtol=1e-10, atol=1e-12)
        score_fn = jax.jit(sf.synflow(apply_fn, jnp.ones((1, 32, 32, 3), jnp.float64)))
        scores = dict(named_leaves(score_fn(params, sf.full_mask(params), None, None)))
        scores = {name: np.asarray(score) for name, score in scores.items()}
        exponent = int(sf.flow(apply_fn, params, jnp.ones((1, 32, 32, 3), jnp.float64)).exponent)
    flow = float(golden["synflow/flow"]) / 2.0**exponent
    for name in golden.files:
        if name.startswith("scores/synflow/"):
            path = golden_path(name.removeprefix("scores/synflow/"))
            rounding = float(np.finfo(golden[name].dtype).eps)
            np.testing.assert_allclose(
                scores[path] / flow, golden[name], rtol=1e-11 + rounding, err_msg=path
            )


def test_layer_names():
    params = nnx.state(small("lottery/resnet20"), nnx.Param)
    names = [row.name for row in sf.layer_table(sf.full_mask(params), params).rows]
    assert len(names) == 22
    assert names[:2] == ["blocks/0/conv1/kernel", "blocks/0/conv2/kernel"]
    assert names.index("blocks/3/shortcut/kernel") + 1 == names.index("blocks/4/conv1/kernel")
    assert names[-2:] == ["conv/kernel", "output/kernel"]


def test_prune():
    apply_fn, params = sf.from_nnx(small("default/conv", (8, 8, 3)))
    mask, history = sf.prune(sf.synflow(apply_fn, jnp.ones((1, 8, 8, 3))), params, 10.0, rounds=3)
    table = sf.layer_table(mask, params)
    assert [row.name for row in table.rows] == ["convs/0/kernel", "convs/1/kernel", "output/kernel"]
    assert table.kept == int(history.kept[-1]) == table.size - math.floor(0.9 * table.size)
    assert not table.collapsed


@pytest.mark.parametrize("name", ["default/conv", "lottery/resnet20"])
def test_dense_classifier_stays_dense(name):
    models = [small(name, (8, 8, 3), dense_classifier=dense) for dense in (False, True)]
    (apply_fn, params), (apply_dense, dense_params) = map(sf.from_nnx, models)
    images = jax.random.normal(jax.random.key(1), (2, 8, 8, 3))
    np.testing.assert_allclose(
        jax.jit(apply_fn)(params, images),
        jax.jit(apply_dense)(dense_params, images),
        rtol=1e-4,
        atol=1e-5,
    )
    mask, _ = sf.prune(sf.magnitude(), dense_params, 20.0, rounds=1)
    rows = {row.name: row.size for row in sf.layer_table(sf.full_mask(params), params).rows}
    dense_rows = {row.name: row.size for row in sf.layer_table(mask, dense_params).rows}
    rows.pop("output/kernel")
    assert dense_rows == rows
    pruned = dict(named_leaves(sf.apply_mask(mask, dense_params)))
    np.testing.assert_array_equal(
        pruned["output/kernel"], dict(named_leaves(params))["output/kernel"].ravel()
    )


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


class TorchState:
    """A state_dict in PyTorch's names and layouts, filled with random numbers."""

    def __init__(self):
        self.arrays: dict[str, np.ndarray] = {}
        self.random = np.random.default_rng(0)

    def conv(self, name, before, after, size, bias=False):
        shape = (after, before, size, size)
        deviation = math.sqrt(2 / math.prod(shape[1:]))
        self.arrays[f"{name}.weight"] = deviation * self.random.standard_normal(shape)
        if bias:
            self.vectors(name, after, "bias")

    def dense(self, name, before, after):
        weight = self.random.standard_normal((after, before)) / math.sqrt(before)
        self.arrays[f"{name}.weight"] = weight
        self.vectors(name, after, "bias")

    def norm(self, name, width):
        self.vectors(name, width, "weight", "bias", "running_mean")
        self.arrays[f"{name}.running_var"] = self.random.uniform(0.5, 1.5, width)
        self.arrays[f"{name}.num_batches_tracked"] = np.array(3)

    def vectors(self, name, width, *kinds):
        for kind in kinds:
            self.arrays[f"{name}.{kind}"] = self.random.uniform(-0.5, 1.0, width)

    def finished(self):
        return {
            name: array if array.dtype == np.int64 else np.float32(array)
            for name, array in self.arrays.items()
        }


def torch_conv(state, name, x, stride=1):
    kernel = state[f"{name}.weight"]
    pad = kernel.shape[-1] // 2
    x = lax.conv_general_dilated(x, kernel, (stride, stride), [(pad, pad)] * 2)
    return x + state[f"{name}.bias"][:, None, None] if f"{name}.bias" in state else x


def torch_norm(state, name, x):
    scale = state[f"{name}.weight"] / jnp.sqrt(state[f"{name}.running_var"] + 1e-5)
    shift = state[f"{name}.bias"] - state[f"{name}.running_mean"] * scale
    return x * scale[:, None, None] + shift[:, None, None]


def torch_dense(state, name, x):
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def torch_max_pool(x, size, pad):
    window, strides = (1, 1, size, size), (1, 1, 2, 2)
    padding = [(0, 0), (0, 0), (pad, pad), (pad, pad)]
    return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, padding)


def vgg11_bn_state():
    state, before = TorchState(), 3
    for position, width in [(0, 64), (4, 128), (8, 256), (11, 256), (15, 512), (18, 512),
                            (22, 512), (25, 512)]:  # fmt: skip
        state.conv(f"features.{position}", before, width, 3, bias=True)
        state.norm(f"features.{position + 1}", width)
        before = width
    for position, (before, width) in {0: (2048, 1024), 3: (1024, 1024), 6: (1024, 10)}.items():
        state.dense(f"classifier.{position}", before, width)
    return state.finished()


def vgg11_bn(state, x):
    for position in (0, 4, 8, 11, 15, 18, 22, 25):
        x = torch_norm(
            state, f"features.{position + 1}", torch_conv(state, f"features.{position}", x)
        )
        x = jax.nn.relu(x)
        if position in (0, 4, 11, 18, 25):
            x = torch_max_pool(x, 2, 0)
    x = x.reshape(len(x), -1)
    for position in (0, 3):
        x = jax.nn.relu(torch_dense(state, f"classifier.{position}", x))
    return torch_dense(state, "classifier.6", x)


def residual_state(bottleneck, depths):
    state, before = TorchState(), 64
    state.conv("conv1", 3, 64, 7)
    state.norm("bn1", 64)
    for stage, depth in enumerate(depths):
        width = 64 * 2**stage
        after = 4 * width if bottleneck else width
        for index in range(depth):
            name = f"layer{stage + 1}.{index}"
            layers = (
                [(before, width, 1), (width, width, 3), (width, after, 1)]
                if bottleneck
                else [(before, width, 3), (width, after, 3)]
            )
            for number, (inputs, outputs, size) in enumerate(layers, start=1):
                state.conv(f"{name}.conv{number}", inputs, outputs, size)
                state.norm(f"{name}.bn{number}", outputs)
            if before != after:
                state.conv(f"{name}.downsample.0", before, after, 1)
                state.norm(f"{name}.downsample.1", after)
            before = after
    state.dense("fc", before, 10)
    return state.finished()


def residual(layout, state, x):
    bottleneck, depths = layout
    x = jax.nn.relu(torch_norm(state, "bn1", torch_conv(state, "conv1", x, 2)))
    x = torch_max_pool(x, 3, 1)
    for stage, depth in enumerate(depths):
        for index in range(depth):
            name = f"layer{stage + 1}.{index}"
            stride = 2 if stage and not index else 1
            strides = (1, stride, 1) if bottleneck else (stride, 1)
            y = x
            for number, step in enumerate(strides, start=1):
                y = torch_conv(state, f"{name}.conv{number}", y, step)
                y = torch_norm(state, f"{name}.bn{number}", y)
                y = jax.nn.relu(y) if number < len(strides) else y
            if f"{name}.downsample.0.weight" in state:
                x = torch_conv(state, f"{name}.downsample.0", x, stride)
                x = torch_norm(state, f"{name}.downsample.1", x)
            x = jax.nn.relu(x + y)
    return torch_dense(state, "fc", x.mean(axis=(2, 3)))


def save(path, state):
    save_file(state, path) if path.suffix == ".safetensors" else np.savez(path, **state)
    return path


BASIC, BOTTLENECK = (False, (2, 2, 2, 2)), (True, (3, 4, 6, 3))


@pytest.mark.parametrize(
    ("name", "arrays", "reference"),
    [
        ("tinyimagenet/vgg11-bn", vgg11_bn_state(), vgg11_bn),
        ("imagenet/resnet18", residual_state(*BASIC), partial(residual, BASIC)),
        pytest.param(
            "imagenet/resnet50",
            residual_state(*BOTTLENECK),
            partial(residual, BOTTLENECK),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_load_torch(tmp_path, name, arrays, reference):
    models = [small(name, (64, 64, 3), dense_classifier=dense) for dense in (False, True)]
    for model, file in zip(models, ("state.npz", "state.safetensors"), strict=True):
        sf.models.load_torch(model, save(tmp_path / file, arrays))
    states = [nnx.state(model, (nnx.Param, nnx.BatchStat)) for model in models]
    for (path, ours), (_, theirs) in zip(*map(named_leaves, states), strict=True):
        np.testing.assert_array_equal(ours.ravel(), theirs.ravel(), err_msg=path)
    images = jax.random.normal(jax.random.key(0), (2, 64, 64, 3))
    apply_fn, params = sf.from_nnx(models[0])
    floats = {key: array for key, array in arrays.items() if array.dtype == np.float32}
    expected = jax.jit(reference)(floats, images.transpose(0, 3, 1, 2))
    scale = float(jnp.abs(expected).max())
    np.testing.assert_allclose(
        jax.jit(apply_fn)(params, images) / scale, expected / scale, atol=1e-5
    )


def test_load_torch_names_what_does_not_fit(tmp_path):
    model = small("imagenet/resnet18")
    before = jax.tree.map(np.asarray, nnx.state(model))
    arrays = residual_state(False, (2, 2, 2, 2))
    del arrays["layer2.0.bn1.running_var"]
    arrays["layer9.weight"] = np.zeros(3, np.float32)
    arrays["fc.weight"] = np.zeros((1000, 512), np.float32)
    for file in ("state.npz", "state.safetensors"):
        with pytest.raises(ValueError, match="doesn't fit") as error:
            sf.models.load_torch(model, save(tmp_path / file, arrays))
        for part in (
            "'layer2.0.bn1.running_var' is missing",
            "'layer9.weight' isn't known",
            "'fc.weight' has shape (1000, 512), the model needs (10, 512)",
        ):
            assert part in str(error.value)
    jax.tree.map(np.testing.assert_array_equal, before, jax.tree.map(np.asarray, nnx.state(model)))


def test_load_torch_refuses_other_files_and_models(tmp_path):
    with pytest.raises(ValueError, match=r"\.safetensors or \.npz, got 'state\.pth'"):
        sf.models.load_torch(small("default/fc"), tmp_path / "state.pth")
    with pytest.raises(TypeError, match="got Linear"):
        sf.models.load_torch(cast(Any, nnx.Linear(2, 2, rngs=nnx.Rngs(0))), "state.npz")
    path = tmp_path / "state.npz"
    np.savez(path, weight=np.array([None]))
    with pytest.raises(ValueError, match="allow_pickle"):
        sf.models.load_torch(small("default/fc"), path)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lottery/vgg16bn", {}, "'lottery/vgg16bn'; there are .*lottery/vgg16-bn"),
        ("nothing", {}, "default/fc, default/conv, lottery/vgg11"),
        ("default/fc", {"num_classes": 0}, "num_classes=0"),
        ("default/fc", {"input_shape": (8, 8)}, r"input_shape=\(8, 8\)"),
        ("default/fc", {"input_shape": (8, 0, 3)}, r"input_shape=\(8, 0, 3\)"),
        ("lottery/vgg11", {"input_shape": (8, 32, 3)}, r"at least 16x16, got input_shape=\(8, 32"),
    ],
)
def test_create_refuses(name, options, message):
    arguments = {"num_classes": 10, "input_shape": (32, 32, 3), **options}
    with pytest.raises(ValueError, match=message):
        sf.models.create(name, rngs=nnx.Rngs(0), **arguments)


def test_import_brings_no_flax_until_models_are_asked_for():
    code = (
        "import sys, synflow_jax as sf; assert 'flax' not in sys.modules; "
        "assert not hasattr(sf, 'nothing'); print(sf.models.names()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "default/fc"
