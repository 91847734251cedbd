"""Sweeps in chunks and over devices: the masks are those of all members at once on one."""

import os
import subprocess
import sys
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import METHODS, all_score_fns, dense_batch, dense_params

import synflow_jax as sf
from synflow_jax.members import good_chunk, in_chunks

SCORES, BATCH = all_score_fns(), dense_batch()
COMPRESSIONS = [1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 10.0]
PARAMS = jax.vmap(lambda scale: jax.tree.map(lambda x: x * scale, dense_params(biases=True)))(
    jnp.linspace(1.0, 2.0, len(COMPRESSIONS))
)


def sweep(method: str, **options: Any) -> Any:
    keys = jax.random.split(jax.random.key(3), len(COMPRESSIONS))
    return sf.sweep(
        SCORES[method],
        PARAMS,
        COMPRESSIONS,
        **{"keys": keys, "params_axis": 0, "batch": BATCH, "rounds": 3, **options},
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 7])
def test_chunks_change_nothing(method: str, chunk: int) -> None:
    chex.assert_trees_all_equal(sweep(method, chunk=chunk), sweep(method, chunk=100))


@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 5, 6, 7, 8])
def test_each_member_is_worked_on_with_its_own(chunk: int) -> None:
    sizes = []

    def squares(own: Any) -> jax.Array:
        sizes.append(len(own["x"]))
        return own["x"] ** 2 + own["y"]

    x = jnp.arange(7.0)
    found = in_chunks(squares, {"x": x, "y": 10 * x}, chunk)
    np.testing.assert_array_equal(found, x**2 + 10 * x)
    assert max(sizes) <= chunk


@pytest.mark.parametrize(("chunk", "error"), [(0, ValueError), (1.5, TypeError)])
def test_chunk_refused(chunk: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"chunk.*{chunk}"):
        sweep("magnitude", chunk=chunk)


class Device:
    """A device that says what memory it has."""

    def __init__(self, platform: str, limit: int) -> None:
        self.platform, self.limit = platform, limit

    def memory_stats(self) -> dict[str, int] | None:
        return {"bytes_limit": self.limit} if self.limit else None


@pytest.mark.parametrize(
    ("platform", "limit", "batch", "expected"),
    [
        # 1,000 weights are 4,000 bytes and need 40,000; 100 inputs are 400 and need 102,400.
        ("gpu", 2 * 1_000_000, None, 25),
        ("gpu", 2 * 1_000_000, jnp.ones(100), 7),
        ("tpu", 1_000, None, 1),
        ("tpu", 0, None, 2**25 // 40_000),
        ("cpu", 0, None, 2**25 // 40_000),
        ("cpu", 2**40, (), 2**25 // 40_000),
    ],
)
def test_chunk_from_memory(
    platform: str, limit: int, batch: Any, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jax, "local_devices", lambda: [Device(platform, limit)])
    assert good_chunk({"kernel": jnp.ones((10, 100))}, batch) == expected


def test_compiled_once() -> None:
    """Whatever the compressions, and with a default chunk."""
    traced = []

    def score_fn(params: Any, mask: Any, batch: Any, key: Any) -> Any:
        traced.append(1)
        return sf.magnitude()(params, mask, batch, key)

    sf.sweep(score_fn, PARAMS, COMPRESSIONS, params_axis=0, rounds=2)
    first = len(traced)
    sf.sweep(score_fn, PARAMS, COMPRESSIONS[::-1], params_axis=0, rounds=2)
    assert len(traced) == first


DEVICES = """
import itertools, re
import chex, jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec as P
from networks import METHODS, all_score_fns, dense_batch, dense_params
import synflow_jax as sf

assert jax.device_count() == 8
scores, batch, params = all_score_fns(), dense_batch(), dense_params(biases=True)
keys = jax.random.split(jax.random.key(3), 16)
compressions = np.logspace(0, 1, 16)
stacked = jax.vmap(lambda scale: jax.tree.map(lambda x: x * scale, params))(jnp.linspace(1, 2, 16))
mesh = jax.make_mesh((8,), ("members",))
grid = jax.make_mesh((4, 2), ("members", "model"), axis_types=(AxisType.Auto,) * 2)

def shares(array):
    return sorted({s.data.shape[0] for s in array.addressable_shards})

def check(method, members, mesh, **options):
    options = {"keys": keys[:members], "batch": batch, "rounds": 3, **options}
    chosen = stacked if "params_axis" in options else params
    if "params_axis" in options:
        chosen = jax.tree.map(lambda x: x[:members], stacked)
    one = sf.sweep(scores[method], chosen, compressions[:members], **options)
    many = sf.sweep(scores[method], chosen, compressions[:members], mesh=mesh, **options)
    chex.assert_trees_all_equal(one, many)
    kernel = many[0]["dense0"]["kernel"]
    assert shares(kernel) == ([members // 8] if members % 8 == 0 else [members]), shares(kernel)
    assert many[1].kept.is_fully_replicated

for method in METHODS:
    check(method, 16, mesh, params_axis=0)
    check(method, 11, mesh)
for members in (1, 8, 9):
    check("synflow", members, mesh, params_axis=0, chunk=2)
check("synflow", 16, grid, params_axis=0, select=sf.local_top_k)
check("random", 16, grid, chunk=1)

# By sharding alone: of keys, of params, and of params that are split within a member too.
def sharded(tree, mesh, *spec):
    return jax.device_put(tree, NamedSharding(mesh, P(*spec)))

expected = sf.sweep(scores["synflow"], stacked, compressions, params_axis=0, rounds=3)
for where in (mesh, grid):
    found = sf.sweep(
        scores["synflow"], sharded(stacked, where, "members"), compressions, params_axis=0, rounds=3
    )
    chex.assert_trees_all_equal(found, expected)
    kernel = found[0]["dense0"]["kernel"]
    assert kernel.sharding.is_equivalent_to(NamedSharding(where, P("members")), 3), kernel.sharding

divided = jax.tree.map(
    lambda x: sharded(x, grid, *(("members", "model") if x.shape[1] % 2 == 0 else ("members",))),
    stacked,
)
assert any("model" in str(x.sharding.spec) for x in jax.tree.leaves(divided))
found = sf.sweep(scores["magnitude"], divided, compressions, params_axis=0, rounds=3)
expected = sf.sweep(scores["magnitude"], stacked, compressions, params_axis=0, rounds=3)
chex.assert_trees_all_equal(found, expected)

expected = sf.sweep(scores["random"], params, compressions, keys=keys, rounds=3)
found = sf.sweep(
    scores["random"], params, compressions, keys=sharded(keys, mesh, "members"), rounds=3
)
chex.assert_trees_all_equal(found, expected)
assert shares(found[0]["dense0"]["kernel"]) == [2]
found = sf.sweep(
    scores["random"], params, sharded(jnp.asarray(compressions), mesh, "members"), keys=keys,
    rounds=3,
)
assert shares(found[0]["dense0"]["kernel"]) == [2]

# Params on one device, and a member that isn't finite.
committed = jax.device_put(params, jax.devices()[3])
chex.assert_trees_all_equal(
    sf.sweep(scores["random"], committed, compressions, keys=keys, rounds=3, mesh=mesh), expected
)
broken = jax.tree.map(lambda x: x.at[9].set(jnp.nan), stacked)
for options in ({"mesh": mesh}, {"chunk": 3}):
    try:
        sf.sweep(
            scores["magnitude"], broken, compressions, params_axis=0, rounds=2, **options
        )
    except ValueError as error:
        assert "sweep member 9" in str(error), error
    else:
        raise AssertionError("not refused")

# A hundred rounds in float64.
with jax.enable_x64(True):
    double = sf.synflow(lambda p, x: jnp.maximum(x @ p[0], 0) @ p[1], jnp.ones((1, 20)),
                        dtype=jnp.float64)
    kernels = [jax.random.normal(jax.random.key(i), (12, 20, 20), jnp.float32) for i in range(2)]
    one = sf.sweep(double, kernels, np.logspace(0, 1.5, 12), params_axis=0)
    many = sf.sweep(double, kernels, np.logspace(0, 1.5, 12), params_axis=0, mesh=mesh)
    chex.assert_trees_all_equal(one, many)
"""


def test_on_eight_devices() -> None:
    """Masks and histories equal those of one device weight for weight, in float32 too."""
    flags = "--xla_force_host_platform_device_count=8"
    path = os.pathsep.join(sys.path)
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": path}
    subprocess.run([sys.executable, "-W", "error", "-c", DEVICES], check=True, env=environment)
