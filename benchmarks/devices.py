"""Pruning params that are sharded over devices of a CPU: the same masks, and what is exchanged.

Run as ``python -m benchmarks.devices PLATFORM WIDTH ROUNDS`` it takes the devices there are. They
share the machine's cores, so that times would say nothing.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import synflow_jax as sf
from benchmarks import wide
from benchmarks.collectives import exchanged, runs
from benchmarks.fresh import answer, in_fresh_process
from benchmarks.measure import figure
from benchmarks.table import Reach, Row

COMPRESSION = 10.0


def by_devices(
    case: str, runs: int, *, width: int, rounds: int, counts: Sequence[int] = (1, 2, 4, 8)
) -> list[Row]:
    """For each number of devices, weights pruned otherwise than by one, and bytes a round."""
    del runs
    rows = []
    for count in counts:
        flags = f"--xla_force_host_platform_device_count={count}"
        arguments = (str(width), str(rounds))
        found = in_fresh_process("benchmarks.devices", *arguments, flags=flags)
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


def main(platform: str, width: str, rounds: str) -> None:
    """Both methods: SynFlow's masks in float64, since its rounds enlarge what rounding changes."""
    jax.config.update("jax_platforms", platform)
    size, steps = int(width), int(rounds)
    mesh = Mesh(jax.devices(), ("shards",))
    sharded = wide.kernels(size, NamedSharding(mesh, PartitionSpec("shards")))
    whole = jax.device_put(sharded, jax.devices()[0])
    inputs = wide.inputs(size)
    wrong = {
        "magnitude": differing(sf.magnitude(), sharded, whole, steps),
        "SynFlow": _in_float64(inputs, sharded, whole, steps),
    }
    moved = {
        "magnitude": exchanged_in_a_round(sf.magnitude(), sharded, steps),
        "SynFlow": exchanged_in_a_round(sf.synflow(wide.apply_fn, inputs), sharded, steps),
    }
    weights = wide.LAYERS * size**2
    answer(
        **{
            name: {"weights": weights, "exchanged": moved[name], "differing": wrong[name]}
            for name in wrong
        }
    )


def _in_float64(inputs: jax.Array, sharded: Any, whole: Any, rounds: int) -> int:
    with jax.enable_x64(True):
        score_fn = sf.synflow(wide.apply_fn, inputs, dtype=jnp.float64)
        return differing(score_fn, sharded, whole, rounds)


def exchanged_in_a_round(score_fn: Any, params: Any, rounds: int) -> Counter[str]:
    """Bytes by kind of collective that each device receives, on average over the rounds."""
    mask = sf.full_mask(params)
    counts = sf.round_counts(mask, COMPRESSION, rounds, sf.exponential, sf.global_top_k)
    loop = jax.jit(sf.prune_rounds, static_argnames=("score_fn", "select"))
    compiled = loop.lower(score_fn, params, mask, counts).compile()
    hlo = compiled.as_text()
    if hlo is None:
        raise RuntimeError(f"{jax.default_backend()} doesn't show its compiled HLO")
    times = runs(lambda: compiled(params, mask, counts))
    share = jax.device_count() * rounds
    return exchanged(hlo, {name: count / share for name, count in times.items()})


def differing(score_fn: Any, sharded: Any, whole: Any, rounds: int) -> int:
    """In how many weights the two masks differ."""
    masks = [
        sf.prune(score_fn, params, COMPRESSION, rounds=rounds)[0] for params in (sharded, whole)
    ]
    mine, theirs = jax.device_get(masks)
    return sum(int((a != b).sum()) for a, b in zip(mine, theirs, strict=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
