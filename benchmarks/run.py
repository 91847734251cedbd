"""Measures the library against PyTorch eager, NumPy and this machine's memory.

Prints a Markdown table of medians with the lowest and highest of several runs; all sides of a row
take turns within one process, each with all cores. Run it on an idle machine.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

from benchmarks.harness.command import command_line, measure, options_of, use_device


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 2 where what was asked for can't be measured."""
    parser = command_line("run", __doc__)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    options = options_of(parser, arguments)
    if not use_device(options.device):
        print("This machine has no GPU that JAX can use: nothing was measured.", file=sys.stderr)
        return 2
    # That of a CPU imports PyTorch.
    suite = import_module(f"benchmarks.suites.{options.device}")
    measure(parser, options, suite.QUICK if options.quick else suite.FULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
