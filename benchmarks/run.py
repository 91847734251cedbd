"""Measures the library against PyTorch eager, NumPy and this machine's memory.

Prints a Markdown table of medians with the lowest and highest of several runs; all sides of a row
take turns within one process, each with all cores. Run it on an idle machine.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import jax
from tqdm import tqdm

from benchmarks import machine
from benchmarks.table import HEADER, Part, as_json, line

FEWEST_RUNS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 2 where what was asked for can't be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--quick", action="store_true", help="small networks, few rounds")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these cases alone")
    parser.add_argument(
        "--runs", type=int, default=FEWEST_RUNS, help="timed runs of each side, at least 5"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    options = parser.parse_args(arguments)
    if options.runs < FEWEST_RUNS:
        parser.error(f"--runs must be >= {FEWEST_RUNS}, got {options.runs}")
    if not use_device(options.device):
        print("This machine has no GPU that JAX can use: nothing was measured.", file=sys.stderr)
        return 2
    cases = cases_of(options.device, quick=options.quick)
    names = options.only or list(cases)
    if unknown := [name for name in names if name not in cases]:
        parser.error(f"no case is called {', '.join(unknown)}; there are {', '.join(cases)}")
    measure(cases, names, options.runs, options.json)
    return 0


def use_device(device: str) -> bool:
    """Whether there is such a device."""
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
        return True
    try:
        return bool(jax.devices("gpu"))
    except RuntimeError:
        return False


def cases_of(device: str, *, quick: bool) -> Mapping[str, tuple[Part, ...]]:
    """The cases by name. Those of a CPU import PyTorch."""
    module = import_module("benchmarks.cases" if device == "cpu" else "benchmarks.gpu_cases")
    return module.QUICK if quick else module.FULL


def measure(
    cases: Mapping[str, tuple[Part, ...]], names: Sequence[str], runs: int, file: Path | None
) -> None:
    """Prints each row, and writes all there are so far, as soon as it's measured."""
    described = machine.describe()
    print(f"{machine.in_words(described)}; medians of {runs} runs (lowest to highest)\n\n{HEADER}")
    rows = []
    for name in tqdm(names, desc="cases", disable=None):
        for part in cases[name]:
            for row in part(name, runs):
                rows.append(as_json(row))
                tqdm.write(line(row))
            sys.stdout.flush()
            if file is not None:
                content = {"machine": described, "runs": runs, "rows": rows}
                file.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
