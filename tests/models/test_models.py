"""The zoo's models as the library takes them."""

import math
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_models import small

import synflow_jax as sf
from synflow_jax.checks import named_leaves

pytestmark = pytest.mark.usefixtures("others_promote")
GOLDEN = Path(__file__).parents[1] / "golden"


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
