"""Measures how pruning grows: with weights, over devices, and in a process's memory.

Prints a Markdown table. Run it on an idle machine with a CPU; it needs no PyTorch.
"""

from collections.abc import Sequence

from benchmarks.harness.command import command_line, measure, options_of, use_device
from benchmarks.suites import scale


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line("scale", __doc__)
    options = options_of(parser, arguments)
    use_device("cpu")
    measure(parser, options, scale.QUICK if options.quick else scale.FULL)


if __name__ == "__main__":
    main()
