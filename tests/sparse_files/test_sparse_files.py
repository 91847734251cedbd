"""Pruned networks in files: what comes back, and how long they are."""

import base64
import json
import stat
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import dense_params
from safetensors import safe_open
from safetensors.numpy import load_file

import synflow_jax as sf
from synflow_jax.checks import leaf_name

DTYPES = ["float32", "bfloat16", "float16", "float64", "float8_e4m3fn", "float8_e5m2"]
SHAPES = [(), (1,), (7,), (0,), (3, 5), (3, 3, 2, 4), (3, 3, 16, 0), (1, 1)]
PARAMS = {"dense": {"bias": jnp.ones(2), "kernel": jnp.array([[1.0, 2.0], [3.0, 4.0]])}}
MASK = {"dense": {"bias": jnp.array(True), "kernel": jnp.array([[True, False], [False, True]])}}


class Attention(NamedTuple):
    key: Any
    value: Any


class Nested(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.layers = nnx.List([nnx.Linear(2, 3, rngs=rngs), nnx.Linear(3, 2, rngs=rngs)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pruned.safetensors"


def random_leaf(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Any bits at all: NaN, infinities and both zeros among them."""
    dtype = np.dtype(dtype)
    data = rng.bytes(int(np.prod(shape, dtype=int)) * dtype.itemsize)
    return jnp.array(np.frombuffer(data, dtype).reshape(shape))


def random_mask(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> jax.Array:
    if kind == "whole" or not shape:
        return jnp.array(True)
    shape = shape if kind == "full" else (1,) * (len(shape) - 1) + shape[-1:]
    return jnp.array(rng.random(shape) < rng.choice([0.0, 0.1, 0.9, 1.0]))


def bits(tree: Any) -> list[tuple[Any, ...]]:
    arrays = map(np.asarray, jax.tree.leaves(tree))
    return [(array.dtype, array.shape, array.tobytes()) for array in arrays]


def masked_bits(mask: Any, params: Any) -> list[tuple[Any, ...]]:
    """What `apply_mask` says, in NumPy, where no NaN is made quiet."""
    arrays = [np.array(leaf) for leaf in jax.tree.leaves(params)]
    for array, keep in zip(arrays, jax.tree.leaves(mask), strict=True):
        array[~np.broadcast_to(keep, array.shape)] = 0
    return bits(arrays)


def metadata_in(path: Path) -> dict[str, str]:
    with safe_open(path, framework="numpy") as file:
        return file.metadata()


def test_round_trip_equals_apply_mask(path: Path) -> None:
    params = dense_params(biases=True)
    mask, _ = sf.prune(sf.magnitude(), params, 4.0, rounds=1)
    sf.save_sparse(path, params, mask)
    for options in ({}, {"like": params}, {"like": jax.eval_shape(lambda: params)}):
        loaded, loaded_mask = sf.load_sparse(path, **options)
        assert jax.tree.structure((loaded, loaded_mask)) == jax.tree.structure((params, mask))
        assert bits(loaded) == bits(sf.apply_mask(mask, params))
        assert bits(loaded_mask) == bits(mask)
        assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves((loaded, loaded_mask)))


LEAVES = st.tuples(
    st.sampled_from(DTYPES), st.sampled_from(SHAPES), st.sampled_from(["whole", "full", "channels"])
)


@settings(deadline=None, max_examples=80)
@given(leaves=st.lists(LEAVES, min_size=1, max_size=5), seed=st.integers(0, 2**32 - 1))
def test_any_leaves(tmp_path_factory: Any, leaves: list[Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    file = tmp_path_factory.mktemp("any") / "pruned.safetensors"
    with jax.enable_x64(True):
        params = [random_leaf(rng, shape, dtype) for dtype, shape, _ in leaves]
        mask = [random_mask(rng, shape, kind) for _, shape, kind in leaves]
        sf.save_sparse(file, params, mask)
        for loaded, loaded_mask in (sf.load_sparse(file), sf.load_sparse(file, like=params)):
            assert isinstance(loaded, list)
            assert bits(loaded) == masked_bits(mask, params)
            assert bits(loaded_mask) == bits(mask)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_are_kept(path: Path, dtype: str) -> None:
    with jax.enable_x64(True):
        params = {"kernel": jnp.array([[0.5, -1.0, jnp.inf, -0.0]], dtype)}
        mask = {"kernel": jnp.array([[True, True, False, True]])}
        sf.save_sparse(path, params, mask)
        loaded, _ = sf.load_sparse(path)
        assert bits(loaded) == bits(sf.apply_mask(mask, params))
        kept = load_file(path)[f"values.{dtype}"]
    assert kept.nbytes == 3 * np.dtype(dtype).itemsize


def test_plain_readers_see_values_and_masks(path: Path) -> None:
    kernel = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    channels = np.array([True, False, False, True]).reshape(1, 1, 4)
    params = {"a": kernel, "b": np.array([7.0], np.float32), "c": -kernel[0]}
    full = kernel[0] > 5
    sf.save_sparse(path, params, {"a": channels, "b": np.array(True), "c": full})
    tensors = load_file(path)
    assert set(tensors) == {"values.float32", "masks"}
    expected = [*kernel[..., [0, 3]].ravel(), 7.0, *-kernel[0][full]]
    np.testing.assert_array_equal(tensors["values.float32"], expected)
    np.testing.assert_array_equal(tensors["masks"], [0b1001_0000, 0b0000_0011, 0b1111_0000])
    saved = json.loads(metadata_in(path)["synflow_jax.sparse"])
    assert saved["version"] == 1
    leaves = json.loads(zlib.decompress(base64.b64decode(saved["leaves"])))
    assert leaves[0] == [["a"], "float32", [2, 3, 4], [1, 1, 4]]
    assert leaves[1] == [["b"], "float32", [1], []]


def test_order_in_memory_does_not_matter(path: Path) -> None:
    rng = np.random.default_rng(0)
    kernel, keep = rng.random((5, 7), np.float32), rng.random((5, 7)) < 0.5
    sf.save_sparse(path, [kernel], [keep])
    before = path.read_bytes()
    sf.save_sparse(path, [np.asfortranarray(kernel)], [np.asfortranarray(keep)])
    assert path.read_bytes() == before


def test_containers_by_their_paths(path: Path) -> None:
    leaf, on = jnp.ones((1, 2)), jnp.array([[True, False]])
    stack = [(), {"kernel": leaf}, (leaf, leaf)]
    heads = Attention(leaf, leaf)
    params = {"stack": stack, "heads": heads, "ints": {7: leaf}, "empty": {}}
    mask = jax.tree.map(lambda _: on, params)
    sf.save_sparse(path, params, mask)
    loaded, loaded_mask = sf.load_sparse(path)
    kept = jnp.array([[1.0, 0.0]])
    expected = {
        "stack": [None, {"kernel": kept}, [kept, kept]],
        "heads": {"key": kept, "value": kept},
        "ints": {7: kept},
    }
    assert jax.tree.structure(loaded) == jax.tree.structure(expected)
    assert jax.tree.structure(loaded_mask) == jax.tree.structure(expected)
    assert bits(loaded) == bits(expected)
    same, same_mask = sf.load_sparse(path, like=params)
    assert jax.tree.structure((same, same_mask)) == jax.tree.structure((params, mask))
    assert isinstance(same["heads"], Attention)


def test_one_array_is_a_tree(path: Path) -> None:
    sf.save_sparse(path, jnp.array([3.0, 4.0]), jnp.array([False, True]))
    loaded, mask = sf.load_sparse(path)
    np.testing.assert_array_equal(loaded, [0, 4])
    np.testing.assert_array_equal(mask, [False, True])


@pytest.mark.usefixtures("others_promote")
def test_nnx(path: Path) -> None:
    model = Nested(nnx.Rngs(0))
    params = nnx.state(model, nnx.Param)
    mask, _ = sf.prune(sf.magnitude(), params, 2.0, rounds=1)
    sf.save_sparse(path, params, mask)
    loaded, _ = sf.load_sparse(path)
    assert set(loaded["layers"]) == {0, 1}
    assert set(loaded["layers"][0]) == {"bias", "kernel"}
    names = [leaf_name(p) for p, _ in jax.tree_util.tree_leaves_with_path(params)]
    assert names == [leaf_name(p) for p, _ in jax.tree_util.tree_leaves_with_path(loaded)]
    state, state_mask = sf.load_sparse(path, like=params)
    assert jax.tree.structure((state, state_mask)) == jax.tree.structure((params, mask))
    assert bits(state) == bits(loaded) == bits(sf.apply_mask(mask, params))
    nnx.update(model, state)
    assert bits(nnx.state(model, nnx.Param)) == bits(loaded)


@pytest.mark.parametrize("name", ["lottery/resnet20", "lottery/vgg16-bn"])
@pytest.mark.parametrize("compression", [10, 100, 1000])
def test_length(path: Path, name: str, compression: int) -> None:
    """At most 1.05 times 4 bytes a kept weight and 1 bit a prunable weight."""
    model = nnx.eval_shape(
        lambda: sf.models.create(name, num_classes=100, input_shape=(32, 32, 3), rngs=nnx.Rngs(0))
    )
    rng = np.random.default_rng(0)
    shapes = nnx.state(model, nnx.Param)
    params = jax.tree.map(lambda leaf: rng.random(leaf.shape, np.float32), shapes)
    mask = jax.tree.map(
        lambda leaf: rng.random(leaf.shape) < 1 / compression if leaf.ndim > 1 else np.array(True),
        params,
    )
    sf.save_sparse(path, params, mask)
    pairs = list(zip(jax.tree.leaves(params), jax.tree.leaves(mask), strict=True))
    kept = sum(int(np.broadcast_to(keep, leaf.shape).sum()) for leaf, keep in pairs)
    prunable = sum(keep.size for _, keep in pairs if keep.ndim)
    assert path.stat().st_size <= 1.05 * (4 * kept + prunable / 8)
    loaded, _ = sf.load_sparse(path)
    assert bits(loaded) == masked_bits(mask, params)


def test_float64_is_never_rounded(path: Path) -> None:
    params = {"kernel": np.array([[0.1, 0.2]])}
    sf.save_sparse(path, params, {"kernel": np.array([[True, False]])})
    with pytest.raises(ValueError, match=r"'kernel'.*float64.*jax_enable_x64"):
        sf.load_sparse(path)
    with jax.enable_x64(True):
        loaded, _ = sf.load_sparse(path)
        np.testing.assert_array_equal(loaded["kernel"], [[0.1, 0.0]])


def test_sharded_params(path: Path) -> None:
    mesh = jax.make_mesh((1,), ("x",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    sf.save_sparse(path, jax.device_put(PARAMS, sharding), jax.device_put(MASK, sharding))
    assert bits(sf.load_sparse(path)) == bits((sf.apply_mask(MASK, PARAMS), MASK))


def test_a_file_is_replaced_whole_or_not_at_all(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sf.save_sparse(path, PARAMS, MASK)
    before = path.read_bytes()

    def fail(file: Path, content: bytes) -> None:
        with file.open("wb") as opened:
            opened.write(content[: len(content) // 2])
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail)
        with pytest.raises(OSError, match="no space left"):
            sf.save_sparse(path, PARAMS, MASK)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    sf.save_sparse(str(path), jax.tree.map(lambda leaf: 2 * leaf, PARAMS), MASK)
    assert path.read_bytes() != before
    assert list(path.parent.iterdir()) == [path]


def test_permissions_are_those_of_any_new_file(path: Path) -> None:
    sf.save_sparse(path, PARAMS, MASK)
    plain = path.with_name("plain")
    plain.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_same_params_same_bytes(path: Path) -> None:
    contents = set()
    for _ in range(8):
        sf.save_sparse(path, PARAMS, MASK)
        contents.add(path.read_bytes())
    assert len(contents) == 1
