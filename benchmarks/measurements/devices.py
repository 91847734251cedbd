"""Pruning params that are sharded over devices of a CPU: the same masks, and what is exchanged.

The devices share the machine's cores, so that times would say nothing.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import synflow_jax as sf
from benchmarks.harness.collectives import exchanged, runs
from benchmarks.harness.figures import figure
from benchmarks.harness.fresh import in_fresh_process
from benchmarks.harness.pruning import COMPRESSION, compiled_rounds
from benchmarks.harness.table import Reach, Row
from benchmarks.networks import dense


def by_devices(
    case: str, runs: int, *, width: int, rounds: int, counts: Sequence[int] = (1, 2, 4, 8)
) -> list[Row]:
    """For each number of devices, weights pruned otherwise than by one, and bytes a round."""
    del runs
    rows = []
    for count in counts:
        flags = f"--xla_force_host_platform_device_count={count}"
        found = in_fresh_process(pruned_sharded, width, rounds, flags=flags)
        rows += [row for method in found for row in _rows(case, count, method, found[method])]
    return rows


def _rows(case: str, count: int, method: str, found: dict[str, Any]) -> list[Row]:
    what = f"{method} sharded over {count} devices, {found['weights']:,} weights"
    differing = {"differing": figure([found["differing"]], "weights")}
    moved = {"exchanged": figure([sum(found["exchanged"].values()) / 2**20], "MiB")}
    kinds = {kind: f"{size:,} bytes" for kind, size in found["exchanged"].items()}
    return [
        Row(case, f"{what}, against one", differing, "differing", Reach(0)),
        Row(case, f"{what}, exchanged a round", moved, "exchanged", None, kinds),
    ]


def pruned_sharded(width: int, rounds: int) -> dict[str, Any]:
    """Both methods over all devices of the process.

    SynFlow's masks are compared in float64, since its rounds enlarge what rounding changes.
    """
    mesh = Mesh(jax.devices(), ("shards",))
    sharded = dense.kernels(width, NamedSharding(mesh, PartitionSpec("shards")))
    whole = jax.device_put(sharded, jax.devices()[0])
    inputs = dense.inputs(width)
    wrong = {
        "magnitude": differing(sf.magnitude(), sharded, whole, rounds),
        "SynFlow": _in_float64(inputs, sharded, whole, rounds),
    }
    moved = {
        "magnitude": exchanged_in_a_round(sf.magnitude(), sharded, rounds),
        "SynFlow": exchanged_in_a_round(sf.synflow(dense.apply_fn, inputs), sharded, rounds),
    }
    weights = dense.LAYERS * width**2
    return {
        name: {"weights": weights, "exchanged": moved[name], "differing": wrong[name]}
        for name in wrong
    }


def _in_float64(inputs: jax.Array, sharded: Any, whole: Any, rounds: int) -> int:
    with jax.enable_x64(True):
        score_fn = sf.synflow(dense.apply_fn, inputs, dtype=jnp.float64)
        return differing(score_fn, sharded, whole, rounds)


def exchanged_in_a_round(score_fn: Any, params: Any, rounds: int) -> Counter[str]:
    """Bytes by kind of collective that each device receives, on average over the rounds."""
    compiled, arguments = compiled_rounds(score_fn, params, rounds)
    hlo = compiled.as_text()
    if hlo is None:
        raise RuntimeError(f"{jax.default_backend()} doesn't show its compiled HLO")
    times = runs(lambda: compiled(*arguments))
    share = jax.device_count() * rounds
    return exchanged(hlo, {name: count / share for name, count in times.items()})


def differing(score_fn: Any, sharded: Any, whole: Any, rounds: int) -> int:
    """In how many weights the two masks differ."""
    masks = [
        sf.prune(score_fn, params, COMPRESSION, rounds=rounds)[0] for params in (sharded, whole)
    ]
    mine, theirs = jax.device_get(masks)
    return sum(int((a != b).sum()) for a, b in zip(mine, theirs, strict=True))
