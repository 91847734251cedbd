"""The most memory of a whole process that makes a network and prunes it by SynFlow.

Run as ``python -m benchmarks.process_memory PLATFORM NAME CLASSES SIDE ROUNDS`` it prints bytes.
"""

import gc
import sys

import jax

import synflow_jax as sf
from benchmarks.fresh import answer, in_fresh_process
from benchmarks.measure import figure
from benchmarks.networks import Network, make
from benchmarks.peak_memory import COMPRESSION, STATUS, kilobytes
from benchmarks.table import Reach, Row

IN_ORDER = "--xla_cpu_enable_concurrency_optimized_scheduler=false"
"""XLA's other order of a CPU's operations, made for little memory instead of many threads."""


def of_process(
    case: str, runs: int, *, network: Network, rounds: int, reach: Reach | None = None
) -> list[Row]:
    """GiB of the process, by default and with XLA's order for little memory; none but on Linux."""
    del runs
    if not STATUS.exists():
        return []
    arguments = (network.name, str(network.classes), str(network.shape[0]), str(rounds))
    rows = []
    for how, flags in (("", ""), (f" with XLA_FLAGS={IN_ORDER}", IN_ORDER)):
        found = in_fresh_process("benchmarks.process_memory", *arguments, flags=flags)
        gib = {name: figure([size / 2**30], "GiB") for name, size in found.items()}
        what = f"Peak memory of the process, {network.name}{how}"
        rows.append(Row(case, what, gib, "peak", reach))
    return rows


def main(platform: str, name: str, classes: str, side: str, rounds: str) -> None:
    """The process: nothing is held but the params and what makes outputs of them."""
    jax.config.update("jax_platforms", platform)
    made = make(Network(name, int(classes), (int(side), int(side), 3)))
    params, score_fn = made.params, sf.synflow(made.apply_fn, made.inputs)
    del made
    gc.collect()
    before = kilobytes("VmRSS")
    jax.block_until_ready(sf.prune(score_fn, params, COMPRESSION, rounds=int(rounds)))
    own = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    answer(params=own, before=1024 * before, peak=1024 * kilobytes("VmHWM"))


if __name__ == "__main__":
    main(*sys.argv[1:])
