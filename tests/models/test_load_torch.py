"""Checkpoints in PyTorch's names and layouts."""

from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import save_file
from small_models import small
from torch_networks import residual, residual_state, vgg11_bn, vgg11_bn_state

import synflow_jax as sf
from synflow_jax.checks import named_leaves

pytestmark = pytest.mark.usefixtures("others_promote")


def save(path, state):
    save_file(state, path) if path.suffix == ".safetensors" else np.savez(path, **state)
    return path


BASIC, BOTTLENECK = (False, (2, 2, 2, 2)), (True, (3, 4, 6, 3))


@pytest.mark.parametrize(
    ("name", "make", "reference"),
    [
        ("tinyimagenet/vgg11-bn", vgg11_bn_state, vgg11_bn),
        ("imagenet/resnet18", partial(residual_state, *BASIC), partial(residual, BASIC)),
        pytest.param(
            "imagenet/resnet50",
            partial(residual_state, *BOTTLENECK),
            partial(residual, BOTTLENECK),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_load_torch(tmp_path, name, make, reference):
    arrays = make()
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
