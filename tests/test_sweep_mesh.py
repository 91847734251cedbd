"""Sweeps in chunks and over devices: the masks are those of all members at once on one."""

import os
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from devices import environment
from networks import dense_params

import synflow_jax as sf
from synflow_jax.sweep.spread import good_chunk, in_chunks

COMPRESSIONS = [1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 10.0]
PARAMS = jax.vmap(lambda scale: jax.tree.map(lambda x: x * scale, dense_params(biases=True)))(
    jnp.linspace(1.0, 2.0, len(COMPRESSIONS))
)


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
        sf.sweep(sf.magnitude(), PARAMS, COMPRESSIONS, params_axis=0, rounds=3, chunk=chunk)


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


EIGHT = """
import functools, sys
import chex, jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from networks import METHODS, all_score_fns, dense_batch, dense_params
import synflow_jax as sf

assert jax.device_count() == 8
scores, batch, params = all_score_fns(), dense_batch(), dense_params(biases=True)
keys = jax.random.split(jax.random.key(3), 16)
compressions = np.logspace(0, 1, 16)
stacked = jax.vmap(lambda scale: jax.tree.map(lambda x: x * scale, params))(jnp.linspace(1, 2, 16))
mesh = jax.make_mesh((8,), ("members",))
grid = jax.make_mesh((4, 2), ("members", "model"), axis_types=(AxisType.Auto,) * 2)

def sharded(tree, mesh, *spec):
    return jax.device_put(tree, NamedSharding(mesh, P(*spec)))

def shares(found):
    return {shard.data.shape[0] for shard in found[0]["dense0"]["kernel"].addressable_shards}

def on_one_and_many(method, members, mesh, own=False, **options):
    options = {"keys": keys[:members], "batch": batch, "rounds": 3, **options}
    if own:
        options["params_axis"] = 0
    chosen = jax.tree.map(lambda x: x[:members], stacked) if own else params
    prune = functools.partial(sf.sweep, scores[method], chosen, compressions[:members], **options)
    many = prune(mesh=mesh)
    chex.assert_trees_all_equal(prune(), many)
    assert shares(many) == {members if members % 8 else members // 8}, shares(many)
    assert many[1].kept.is_fully_replicated
"""

FEW = """
on_one_and_many("synflow", 16, mesh, own=True)
on_one_and_many("random", 11, grid, chunk=1)

# By the sharding of what is swept alone.
random = functools.partial(sf.sweep, scores["random"], rounds=3)
expected = random(params, compressions, keys=keys)
for given in (
    {"keys": sharded(keys, mesh, "members")},
    {"keys": keys, "compressions": sharded(jnp.asarray(compressions), mesh, "members")},
):
    found = random(params, **{"compressions": compressions, **given})
    chex.assert_trees_all_equal(found, expected)
    assert shares(found) == {2}

# Params that lie on another device.
elsewhere = jax.device_put(params, jax.devices()[3])
chex.assert_trees_all_equal(random(elsewhere, compressions, keys=keys, mesh=mesh), expected)

broken = jax.tree.map(lambda x: x.at[9].set(jnp.nan), stacked)
try:
    sf.sweep(scores["magnitude"], broken, compressions, params_axis=0, rounds=2, mesh=mesh)
except ValueError as error:
    assert "sweep member 9" in str(error), error
else:
    raise AssertionError("not refused")
"""

MANY = """
for method in METHODS:
    on_one_and_many(method, 16, mesh, own=True)
    on_one_and_many(method, 11, mesh)
for members in (1, 8, 9):
    on_one_and_many("synflow", members, mesh, own=True, chunk=2)
on_one_and_many("synflow", 16, grid, own=True, select=sf.local_top_k)

# Params split by members, and some within a member too.
def split(x):
    return sharded(x, grid, "members", *["model"] * (x.shape[1] % 2 == 0))

for method in ("magnitude", "synflow"):
    prune = functools.partial(sf.sweep, scores[method], params_axis=0, rounds=3)
    expected = prune(stacked, compressions)
    for where in (mesh, grid):
        found = prune(sharded(stacked, where, "members"), compressions)
        chex.assert_trees_all_equal(found, expected)
        assert shares(found) == {16 // where.shape["members"]}
divided = jax.tree.map(split, stacked)
assert any("model" in str(x.sharding.spec) for x in jax.tree.leaves(divided))
prune = functools.partial(sf.sweep, scores["magnitude"], params_axis=0, rounds=3)
chex.assert_trees_all_equal(prune(divided, compressions), prune(stacked, compressions))
"""

DOUBLE = """
def apply_fn(kernels, x):
    return jax.nn.relu(x @ kernels[0]) @ kernels[1]

kernels = [jax.random.normal(jax.random.key(i), (12, 20, 20), jnp.float32) for i in range(2)]
score_fn = sf.synflow(apply_fn, jnp.ones((1, 20)), dtype=jnp.float64)
prune = functools.partial(sf.sweep, score_fn, kernels, np.logspace(0, 1.5, 12), params_axis=0)
one, many = prune(), prune(mesh=mesh)
assert one[1].kept.shape == (12, 100)
chex.assert_trees_all_equal(one, many)
"""


def on_eight_devices(code: str, *, x64: bool = False) -> None:
    own = {
        "JAX_ENABLE_X64": str(x64),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-W", "error", "-c", EIGHT + code]
    subprocess.run(command, check=True, env=environment(8) | own)


def test_eight_devices_change_nothing() -> None:
    """Masks and histories equal those of one device, in float32 too."""
    on_eight_devices(FEW)


@pytest.mark.slow
def test_no_method_or_number_of_members_changes_that() -> None:
    on_eight_devices(MANY)


def test_a_hundred_rounds_in_float64_on_eight_devices() -> None:
    on_eight_devices(DOUBLE, x64=True)
