"""Files and calls that `save_sparse` and `load_sparse` refuse, and what each must say."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from test_sparse_files import MASK, PARAMS, metadata_in

import synflow_jax as sf


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pruned.safetensors"


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.ones(3))
    return file.getvalue()


def without(name: str) -> Callable[[Path], None]:
    def rewrite(path: Path) -> None:
        tensors = {key: value for key, value in load_file(path).items() if key != name}
        save_file(tensors, path, metadata_in(path))

    return rewrite


def header(text: str) -> Callable[[Path], None]:
    def rewrite(path: Path) -> None:
        save_file(load_file(path), path, {"synflow_jax.sparse": text})

    return rewrite


def shortened(name: str) -> Callable[[Path], None]:
    def rewrite(path: Path) -> None:
        tensors = load_file(path)
        save_file({**tensors, name: tensors[name][:-1]}, path, metadata_in(path))

    return rewrite


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-1]), "is cut short or isn't.*save_spar"),
    "header cut": (lambda p: p.write_bytes(p.read_bytes()[:40]), "is cut short or isn't"),
    "empty": (lambda p: p.write_bytes(b""), "is cut short or isn't"),
    "longer": (lambda p: p.write_bytes(p.read_bytes() + b"0"), "is cut short or isn't"),
    "text": (lambda p: p.write_text("not a network at all"), "isn't a safetensors file"),
    "npz": (lambda p: p.write_bytes(npz()), "isn't a safetensors file"),
    "foreign": (lambda p: save_file({"a": np.ones(3)}, p), r"not of sf.save_sparse.*load_file"),
    "other": (lambda p: save_file({}, p, {"format": "pt"}), "not of sf.save_sparse"),
    "newer": (header('{"version": 2}'), "is of version 2.*reads version 1; install"),
    "no values": (without("values.float32"), "is damaged"),
    "no masks": (without("masks"), "is damaged"),
    "fewer values": (shortened("values.float32"), "is damaged"),
    "fewer masks": (shortened("masks"), "is damaged"),
    "no JSON": (header("{"), "is damaged"),
    "no object": (header("[]"), "is damaged"),
    "no leaves": (header('{"version": 1}'), "is damaged"),
    "no base64": (header('{"version": 1, "leaves": "!"}'), "is damaged"),
    "not compressed": (header('{"version": 1, "leaves": "W10="}'), "is damaged"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_files_that_are_refused(path: Path, case: str) -> None:
    damage, message = DAMAGE[case]
    sf.save_sparse(path, PARAMS, MASK)
    damage(path)
    with pytest.raises(ValueError, match=message) as error:
        sf.load_sparse(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("length", range(0, 320, 16))
def test_any_truncation_is_told(path: Path, length: int) -> None:
    sf.save_sparse(path, PARAMS, MASK)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match="is cut short"):
        sf.load_sparse(path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for missing in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no file"):
            sf.load_sparse(missing)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        sf.save_sparse(tmp_path / "none" / "pruned.safetensors", PARAMS, MASK)


DENSE = PARAMS["dense"]
LIKE = {
    "missing": ({"dense": {"bias": DENSE["bias"]}}, "like has no leaf 'dense/kernel'"),
    "more": ({**PARAMS, "out": DENSE["bias"]}, "the file has no leaf 'out'"),
    "shape": (
        {"dense": {**DENSE, "kernel": jnp.ones((2, 3))}},
        r"leaf 'dense/kernel' is float32\(2, 2\), in like float32\(2, 3\)",
    ),
    "dtype": (
        {"dense": {**DENSE, "bias": jnp.ones(2, jnp.bfloat16)}},
        r"leaf 'dense/bias' is float32\(2,\), in like bfloat16\(2,\)",
    ),
    "many": ([jnp.ones(1)] * 9, "no leaf '4'; and 6 more. Pass params of the network"),
    "two names": ({"a/b": jnp.ones(1), "a": {"b": jnp.ones(1)}}, "like has 2 leaves named 'a/b'"),
}


@pytest.mark.parametrize("case", LIKE)
def test_like_that_does_not_fit(path: Path, case: str) -> None:
    like, message = LIKE[case]
    sf.save_sparse(path, PARAMS, MASK)
    with pytest.raises(ValueError, match=message):
        sf.load_sparse(path, like=like)


def test_like_must_be_params(path: Path) -> None:
    sf.save_sparse(path, PARAMS, MASK)
    with pytest.raises(TypeError, match="like leaf 'a' must be a floating-point array"):
        sf.load_sparse(path, like={"a": jnp.arange(3)})


TWICE = {"a/b": jnp.ones((1, 2)), "a": {"b": jnp.ones((1, 2))}}
REFUSED: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "mask lacks": (PARAMS, {"dense": {}}, ValueError, "mask has no leaf 'dense/bias'"),
    "mask's shape": (
        PARAMS,
        {"dense": {**MASK["dense"], "kernel": jnp.ones((2, 3), bool)}},
        ValueError,
        r"'dense/kernel' has shape \(2, 3\)",
    ),
    "mask of floats": (PARAMS, PARAMS, TypeError, "'dense/bias' must be boolean"),
    "scalar False": (
        PARAMS,
        {"dense": {**MASK["dense"], "bias": jnp.array(False)}},
        ValueError,
        "'dense/bias' is a scalar False",
    ),
    "integers": ({"a": jnp.arange(2)}, {"a": jnp.array(True)}, TypeError, "'a' must be a floating"),
    "no leaves": ({}, {}, ValueError, "params has no leaves"),
    "no mask": (PARAMS, None, TypeError, "mask=None; pass sf.full_mask"),
    "shapes": (jax.eval_shape(lambda: PARAMS), MASK, TypeError, "is a shape without values"),
    "two names": (
        TWICE,
        jax.tree.map(lambda _: jnp.array(True), TWICE),
        ValueError,
        "params has 2 leaves named 'a/b'; rename",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_calls_that_are_refused(path: Path, case: str) -> None:
    params, mask, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        sf.save_sparse(path, params, mask)
    assert list(path.parent.iterdir()) == []


def test_not_under_jit(path: Path) -> None:
    with pytest.raises(TypeError, match=r"'dense/bias' is traced by jit.*save"):
        jax.jit(lambda params: sf.save_sparse(path, params, MASK))(PARAMS)
    with pytest.raises(TypeError, match="mask leaf 'dense/bias' is traced"):
        jax.jit(lambda mask: sf.save_sparse(path, PARAMS, mask))(MASK)


def test_params_of_several_processes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array of other processes too, without starting them."""
    for name in ("is_fully_addressable", "is_fully_replicated"):
        monkeypatch.setattr(type(PARAMS["dense"]["bias"]), name, False)
    with pytest.raises(ValueError, match=r"'dense/bias' lies on.*processes; gather it"):
        sf.save_sparse(path, PARAMS, MASK)


def test_without_safetensors(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sf.save_sparse(path, PARAMS, MASK)
    for name in [name for name in sys.modules if name.split(".")[0] == "safetensors"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for call in (lambda: sf.load_sparse(path), lambda: sf.save_sparse(path, PARAMS, MASK)):
        with pytest.raises(ImportError, match="pip install 'safetensors"):
            call()
