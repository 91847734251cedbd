"""The most memory that `sf.prune` takes beyond its inputs."""

import gc
from typing import Any

import jax

import synflow_jax as sf
from benchmarks.harness.figures import figure
from benchmarks.harness.fresh import in_fresh_process
from benchmarks.harness.process_memory import RESET, memory_bytes
from benchmarks.harness.pruning import compiled_rounds, synflow_call
from benchmarks.harness.table import Reach, Row
from benchmarks.networks.zoo import Made, Network, make


def beyond_inputs(
    case: str, runs: int, *, network: Network, rounds: int, reach: Reach | None = None
) -> list[Row]:
    """Bytes a weight, as compiled and as the process grew; ``runs`` would all say the same."""
    del runs
    found = in_fresh_process(both_measurements, *network, rounds)
    weights = found.pop("weights")
    what = f"Peak memory a weight beyond the inputs, {network.name}"
    sizes = {of: figure([size / weights], "bytes") for of, size in found.items()}
    details = {"weights": f"{weights:,}"}
    return [
        Row(case, f"{what}, by the {of}", {of: size}, of, reach, details)
        for of, size in sizes.items()
    ]


def both_measurements(name: str, classes: int, side: int, rounds: int) -> dict[str, Any]:
    """Bytes: what the compiled call says of itself, and by how much the process grew."""
    made = make(Network(name, classes, side))
    measured = {"weights": made.weights, "compiler": compiled_bytes(made, rounds)}
    if jax.default_backend() == "cpu" and RESET.exists():
        measured["process"] = process_bytes(made, rounds)
    return measured


def compiled_bytes(made: Made, rounds: int) -> int:
    """Temporary arrays and outputs of the compiled loop of rounds."""
    score_fn = sf.synflow(made.apply_fn, made.inputs)
    compiled, _ = compiled_rounds(score_fn, made.params, rounds)
    analysis = compiled.memory_analysis()
    if analysis is None:
        raise RuntimeError(f"{jax.default_backend()} doesn't say how much memory a call takes")
    return analysis.temp_size_in_bytes + analysis.output_size_in_bytes


def process_bytes(made: Made, rounds: int) -> int:
    """By how much a second call made the process grow at its peak."""
    call = synflow_call(made, rounds)
    jax.block_until_ready(call())
    gc.collect()
    RESET.write_text("5")
    before = memory_bytes("VmRSS")
    jax.block_until_ready(call())
    return memory_bytes("VmHWM") - before
