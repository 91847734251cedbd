"""`sf.sweep` over compressions and seeds against a loop of `sf.prune`."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

import synflow_jax as sf
from benchmarks.harness.compilations import counted
from benchmarks.harness.figures import figure, figures, ratio
from benchmarks.harness.table import Reach, Row
from benchmarks.harness.timing import alternate
from benchmarks.networks.zoo import Network, make


def against_loop(
    case: str,
    runs: int,
    *,
    network: Network,
    compressions: Sequence[float],
    seeds: int,
    rounds: int,
    reach: Reach | None = None,
) -> list[Row]:
    """Seconds of both for every compression with every seed, and compilations of the sweep."""
    made = [make(network, seed=seed) for seed in range(seeds)]
    members = [(c, each.params) for each in made for c in compressions]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(params for _, params in members))
    given = [compression for compression, _ in members]
    score_fn = sf.synflow(made[0].apply_fn, made[0].inputs)
    sides = {
        "sweep": lambda: sf.sweep(score_fn, stacked, given, params_axis=0, rounds=rounds),
        "loop of prune": lambda: [
            sf.prune(score_fn, params, c, rounds=rounds) for c, params in members
        ],
    }
    sf.prune(score_fn, members[0][1], 1.0, rounds=1)  # compiles what fills the first mask
    with counted() as compiled:
        jax.block_until_ready(sides["sweep"]())
    times = alternate(sides, runs, title=case)
    what = f"Sweep of {len(compressions)} compressions x {seeds} seeds, {network.name}"
    faster = {"times as fast": ratio(times["loop of prune"], times["sweep"])}
    compilations = {"compiled": figure([len(compiled)], "compilations")}
    return [
        Row(
            case,
            f"{what}, {rounds} rounds",
            figures(times, "s") | faster,
            "times as fast",
            reach,
        ),
        Row(case, f"{what}, its first call", compilations, "compiled", Reach(1)),
    ]
