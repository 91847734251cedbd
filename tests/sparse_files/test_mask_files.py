"""Masks in files: what comes back, how long they are, and what is refused."""

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import dense_params
from safetensors.numpy import load_file, save_file
from test_sparse_files import MASK, PARAMS, SHAPES, Nested, bits, metadata_in, random_mask

import synflow_jax as sf

DENSE = PARAMS["dense"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mask.safetensors"


def test_what_prune_gives_comes_back(path: Path) -> None:
    params = dense_params(biases=True)
    mask, _ = sf.prune(sf.magnitude(), params, 4.0, rounds=1)
    sf.save_mask(path, mask)
    for like in (params, jax.eval_shape(lambda: params)):
        loaded = sf.load_mask(path, like)
        assert jax.tree.structure(loaded) == jax.tree.structure(mask)
        assert bits(loaded) == bits(mask)
        assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(loaded))


@settings(deadline=None, max_examples=40)
@given(
    leaves=st.lists(
        st.tuples(st.sampled_from(SHAPES), st.sampled_from(["whole", "full", "channels"])),
        min_size=1,
        max_size=5,
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_leaves(tmp_path_factory: Any, leaves: list[Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    file = tmp_path_factory.mktemp("any") / "mask.safetensors"
    mask = [random_mask(rng, shape, kind) for shape, kind in leaves]
    sf.save_mask(file, mask)
    loaded = sf.load_mask(file, [np.zeros(shape, np.float32) for shape, _ in leaves])
    assert isinstance(loaded, list)
    assert bits(loaded) == bits(mask)


def test_one_bit_a_weight(path: Path) -> None:
    kernel = np.arange(10).reshape(2, 5) % 3 == 0
    sf.save_mask(path, {"kernel": kernel, "bias": np.array(True)})
    tensors = load_file(path)
    assert set(tensors) == {"masks"}
    np.testing.assert_array_equal(tensors["masks"], [0b1001_0010, 0b0100_0000])
    before = path.read_bytes()
    sf.save_mask(str(path), {"bias": np.array(True), "kernel": np.asfortranarray(kernel)})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    rng = np.random.default_rng(0)
    sf.save_mask(path, [rng.random((100, 1000)) < 0.1])
    assert path.stat().st_size < 100 * 1000 / 8 + 300


@pytest.mark.usefixtures("others_promote")
def test_a_mask_of_nnx_and_one_of_dicts(path: Path) -> None:
    params = nnx.state(Nested(nnx.Rngs(0)), nnx.Param)
    mask, _ = sf.prune(sf.magnitude(), params, 2.0, rounds=1)
    sf.save_mask(path, mask)
    loaded = sf.load_mask(path, params)
    assert jax.tree.structure(loaded) == jax.tree.structure(mask)
    assert bits(loaded) == bits(mask)
    assert bits(sf.load_mask(path, nnx.to_pure_dict(params))) == bits(mask)


OTHERS = {
    "missing": ({"dense": {"bias": DENSE["bias"]}}, "params have no leaf 'dense/kernel'"),
    "more": ({**PARAMS, "out": DENSE["bias"]}, "the file has no leaf 'out'"),
    "shape": (
        {"dense": {**DENSE, "kernel": jnp.ones((2, 3))}},
        r"the mask of leaf 'dense/kernel' is \(2, 2\), in params it's \(2, 3\). Pass params of",
    ),
    "rank": (
        {"dense": {**DENSE, "kernel": jnp.ones(4)}},
        r"the mask of leaf 'dense/kernel' is \(2, 2\), in params it's \(4,\)",
    ),
    "two names": ({"a/b": jnp.ones(1), "a": {"b": jnp.ones(1)}}, "params has 2 leaves named"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_other_params(path: Path, case: str) -> None:
    params, message = OTHERS[case]
    sf.save_mask(path, MASK)
    with pytest.raises(ValueError, match=message):
        sf.load_mask(path, params)


FILES = {
    "text": (lambda p: p.write_text("no mask at all"), "isn't a safetensors file.*sf.save_mask"),
    "cut": (lambda p: p.write_bytes(p.read_bytes()[:-1]), "is cut short or isn't"),
    "foreign": (lambda p: save_file({"a": np.ones(3)}, p), "not of sf.save_mask; read its arrays"),
    "sparse": (
        lambda p: sf.save_sparse(p, PARAMS, MASK),
        "is of sf.save_sparse, not of sf.save_mask; read it with sf.load_sparse",
    ),
    "fewer": (lambda p: save_file({"masks": np.zeros(0, np.uint8)}, p, metadata_in(p)), "damaged"),
    "none": (lambda p: save_file({}, p, metadata_in(p)), "is damaged.*sf.save_mask"),
}


@pytest.mark.parametrize("case", FILES)
def test_other_files(path: Path, case: str) -> None:
    write, message = FILES[case]
    sf.save_mask(path, MASK)
    write(path)
    with pytest.raises(ValueError, match=message) as error:
        sf.load_mask(path, PARAMS)
    assert str(path) in str(error.value)


def test_a_mask_is_not_a_pruned_network(path: Path) -> None:
    sf.save_mask(path, MASK)
    with pytest.raises(ValueError, match=r"is of sf.save_mask, not of sf.save_sparse; read it"):
        sf.load_sparse(path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file.*what sf.save_mask wrote"):
        sf.load_mask(tmp_path / "none.safetensors", PARAMS)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        sf.save_mask(tmp_path / "none" / "mask.safetensors", MASK)


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "floats": (PARAMS, TypeError, "'dense/bias' must be boolean"),
    "scalar False": ({"a": jnp.array(False)}, ValueError, "'a' is a scalar False"),
    "two names": ({"a/b": MASK, "a": {"b": MASK}}, ValueError, "2 leaves named 'a/b/dense/bias'"),
    "shapes": (jax.eval_shape(lambda: MASK), TypeError, "is a shape without values"),
    "nothing": ({}, ValueError, "mask has no leaves"),
    "None": (None, ValueError, "mask has no leaves"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_mask(path: Path, case: str) -> None:
    mask, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        sf.save_mask(path, mask)
    assert list(path.parent.iterdir()) == []


def test_not_under_jit_and_not_of_several_processes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TypeError, match=r"mask leaf 'dense/bias' is traced by jit.*save"):
        jax.jit(lambda mask: sf.save_mask(path, mask))(MASK)
    for name in ("is_fully_addressable", "is_fully_replicated"):
        monkeypatch.setattr(type(DENSE["bias"]), name, False)
    with pytest.raises(ValueError, match=r"'dense/bias' lies on.*processes; gather it"):
        sf.save_mask(path, MASK)


def test_without_safetensors(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "safetensors"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"sf.save_mask and sf.load_mask need.*pip install"):
        sf.save_mask(path, MASK)
