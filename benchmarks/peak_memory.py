"""The most memory that `sf.prune` takes beyond its inputs.

Run as ``python -m benchmarks.peak_memory PLATFORM NAME CLASSES SIDE ROUNDS`` (images of SIDE x
SIDE) it prints bytes: what the compiled call says of itself, and by how much the process grew.
"""

import gc
import re
import sys
from pathlib import Path

import jax

import synflow_jax as sf
from benchmarks.fresh import answer, in_fresh_process
from benchmarks.measure import figure
from benchmarks.networks import Made, Network, make
from benchmarks.table import Reach, Row

COMPRESSION = 10.0
STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")
"""Linux: writing 5 sets the highest memory so far to the present one."""


def beyond_inputs(
    case: str, runs: int, *, network: Network, rounds: int, reach: Reach | None = None
) -> list[Row]:
    """Bytes a weight, as compiled and as the process grew; ``runs`` would all say the same."""
    del runs
    arguments = (network.name, str(network.classes), str(network.shape[0]), str(rounds))
    answers = in_fresh_process("benchmarks.peak_memory", *arguments)
    weights = answers["weights"]
    what = f"Peak memory a weight beyond the inputs, {network.name}"
    return [
        Row(
            case,
            f"{what}, by the {of}",
            {of: figure([answers[of] / weights], "bytes")},
            of,
            reach,
            {"weights": f"{weights:,}"},
        )
        for of in ("compiler", "process")
        if of in answers
    ]


def main(platform: str, name: str, classes: str, side: str, rounds: str) -> None:
    """Both measurements."""
    jax.config.update("jax_platforms", platform)
    made = make(Network(name, int(classes), (int(side), int(side), 3)))
    measured = {"compiler": compiled_bytes(made, int(rounds))}
    if platform == "cpu" and RESET.exists():
        measured["process"] = process_bytes(made, int(rounds))
    answer(weights=made.weights, **measured)


def compiled_bytes(made: Made, rounds: int) -> int:
    """Temporary arrays and outputs of the compiled loop of rounds."""
    mask = sf.full_mask(made.params)
    counts = sf.round_counts(mask, COMPRESSION, rounds, sf.exponential, sf.global_top_k)
    loop = jax.jit(sf.prune_rounds, static_argnames=("score_fn", "select"))
    score_fn = sf.synflow(made.apply_fn, made.inputs)
    analysis = loop.lower(score_fn, made.params, mask, counts).compile().memory_analysis()
    if analysis is None:
        raise RuntimeError(f"{jax.default_backend()} doesn't say how much memory a call takes")
    return analysis.temp_size_in_bytes + analysis.output_size_in_bytes


def process_bytes(made: Made, rounds: int) -> int:
    """By how much a second call made the process grow at its peak."""
    score_fn = sf.synflow(made.apply_fn, made.inputs)
    jax.block_until_ready(sf.prune(score_fn, made.params, COMPRESSION, rounds=rounds))
    gc.collect()
    RESET.write_text("5")
    before = kilobytes("VmRSS")
    jax.block_until_ready(sf.prune(score_fn, made.params, COMPRESSION, rounds=rounds))
    return 1024 * (kilobytes("VmHWM") - before)


def kilobytes(name: str) -> int:
    """What Linux says of this process's memory: ``VmRSS`` now, ``VmHWM`` at most so far."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{STATUS} has no {name}")
    return int(found[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
