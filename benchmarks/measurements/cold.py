"""From a cold start to a mask: whole processes, ours and PyTorch's, in turns.

Each process imports its library, gets a network and prunes it in 100 rounds to a hundredth. Ours
creates the network and compiles; a second one finds what the first compiled on disk. PyTorch's
loads its network from a file, which takes less than creating it.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness.figures import figures, ratio
from benchmarks.harness.table import Reach, Row
from benchmarks.harness.timing import alternate
from benchmarks.measurements.rounds import halvings
from benchmarks.networks.zoo import Network, make

CACHE = "JAX_COMPILATION_CACHE_DIR"


def whole_processes(
    case: str, runs: int, *, network: Network, rounds: int = 100, reach: Reach | None = None
) -> list[Row]:
    """Seconds of processes, without and with programs on disk, and of PyTorch's."""
    import torch  # pyright: ignore[reportMissingImports]

    from benchmarks.pytorch.networks import torch_network

    own = ["benchmarks.harness.cold_jax", network.name, network.classes, network.side, rounds]
    with TemporaryDirectory() as folder:
        saved = Path(folder) / "network.pt"
        made = make(network)
        torch.save(torch_network(made.model), saved)
        scale = 2.0 ** -halvings(made)
        others = ["benchmarks.pytorch.cold", saved, network.side, rounds, scale]
        on_disk = {CACHE: folder, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        sides: Mapping[str, Callable[[], Any]] = {
            "synflow_jax": partial(run, own, {}),
            "with compiled programs on disk": partial(run, own, on_disk),
            "PyTorch": partial(run, others, {}),
        }
        times = alternate(sides, runs, title=network.name)
    faster = {"times as fast": ratio(times["PyTorch"], times["synflow_jax"])}
    what = f"Whole process to a mask in {rounds} rounds, {network.name}"
    return [Row(case, what, figures(times, "s") | faster, "times as fast", reach)]


def run(command: list[Any], more: Mapping[str, str]) -> None:
    """Runs a module with arguments in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != CACHE}
    arguments = [str(each) for each in command]
    subprocess.run([sys.executable, "-m", *arguments], check=True, env=environment | dict(more))
