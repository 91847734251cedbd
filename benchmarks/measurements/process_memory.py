"""The most memory of a whole process that makes a network and prunes it by SynFlow."""

import gc
from typing import Any

import jax

from benchmarks.harness.figures import figure
from benchmarks.harness.fresh import in_fresh_process
from benchmarks.harness.process_memory import STATUS, memory_bytes
from benchmarks.harness.pruning import synflow_call
from benchmarks.harness.table import Reach, Row
from benchmarks.networks.zoo import Network, make

IN_ORDER = "--xla_cpu_enable_concurrency_optimized_scheduler=false"
"""XLA's other order of a CPU's operations, made for little memory instead of many threads."""


def of_process(
    case: str, runs: int, *, network: Network, rounds: int, reach: Reach | None = None
) -> list[Row]:
    """GiB of the process, by default and with XLA's order for little memory; none but on Linux."""
    del runs
    if not STATUS.exists():
        return []
    rows = []
    for how, flags in (("", ""), (f" with XLA_FLAGS={IN_ORDER}", IN_ORDER)):
        found = in_fresh_process(making_and_pruning, *network, rounds, flags=flags)
        gib = {name: figure([size / 2**30], "GiB") for name, size in found.items()}
        what = f"Peak memory of the process, {network.name}{how}"
        rows.append(Row(case, what, gib, "peak", reach))
    return rows


def making_and_pruning(name: str, classes: int, side: int, rounds: int) -> dict[str, Any]:
    """Bytes of the process: nothing is held but the params and what makes outputs of them."""
    made = make(Network(name, classes, side))
    own = sum(leaf.nbytes for leaf in jax.tree.leaves(made.params))
    call = synflow_call(made, rounds)
    del made
    gc.collect()
    before = memory_bytes("VmRSS")
    jax.block_until_ready(call())
    return {"params": own, "before": before, "peak": memory_bytes("VmHWM")}
