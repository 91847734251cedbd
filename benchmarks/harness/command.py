"""The command line that all benchmarks have, and what it prints and writes."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
from tqdm import tqdm

from benchmarks.harness import machine
from benchmarks.harness.table import HEADER, Part, as_json, line

FEWEST_RUNS = 5
Cases = Mapping[str, tuple[Part, ...]]
"""Measurements by the names that ``--only`` takes."""


def command_line(name: str, description: str | None) -> argparse.ArgumentParser:
    """The parser of ``python -m benchmarks.name``, for a command to add what is its own."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    parser.add_argument("--quick", action="store_true", help="small networks, few rounds")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these cases alone")
    parser.add_argument(
        "--runs", type=int, default=FEWEST_RUNS, help="timed runs of each side, at least 5"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    return parser


def options_of(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> argparse.Namespace:
    """The options; too few runs end the program."""
    options = parser.parse_args(arguments)
    if options.runs < FEWEST_RUNS:
        parser.error(f"--runs must be >= {FEWEST_RUNS}, got {options.runs}")
    return options


def use_device(device: str) -> bool:
    """Whether there is such a device."""
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
        return True
    try:
        return bool(jax.devices("gpu"))
    except RuntimeError:
        return False


def measure(parser: argparse.ArgumentParser, options: argparse.Namespace, cases: Cases) -> None:
    """Prints each row, and writes all there are so far, as soon as it's measured.

    A name that no case has ends the program.
    """
    names = options.only or list(cases)
    if unknown := [name for name in names if name not in cases]:
        parser.error(f"no case is called {', '.join(unknown)}; there are {', '.join(cases)}")
    described, runs = machine.describe(), options.runs
    print(f"{machine.in_words(described)}; medians of {runs} runs (lowest to highest)\n\n{HEADER}")
    rows = []
    for name in tqdm(names, desc="cases", disable=None):
        for part in cases[name]:
            for row in part(name, runs):
                rows.append(as_json(row))
                tqdm.write(line(row))
            sys.stdout.flush()
            if options.json is not None:
                content = {"machine": described, "runs": runs, "rows": rows}
                options.json.write_text(json.dumps(content, indent=2) + "\n")
