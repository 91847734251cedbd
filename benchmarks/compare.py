"""Measures another checkout's library against this one's, call by call in turns.

Each version has a process of its own that waits while the other is timed. Prints a Markdown table
of medians; "new over old" compares the times of neighboring calls. Run it on an idle machine.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.harness.checkout import HERE, calls_of
from benchmarks.harness.command import command_line, measure, options_of, use_device
from benchmarks.harness.figures import figures, ratio
from benchmarks.harness.machine import commit
from benchmarks.harness.table import Row
from benchmarks.harness.timing import alternate
from benchmarks.suites import ours
from benchmarks.suites.ours import Ours


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line("compare", __doc__)
    parser.add_argument("old", type=Path, metavar="OLD_CHECKOUT", help="a folder with synflow_jax")
    options = options_of(parser, arguments)
    old = options.old.resolve()
    if not (old / "synflow_jax").is_dir():
        parser.error(f"{options.old} has no synflow_jax")
    use_device("cpu")
    cases = ours.QUICK if options.quick else ours.FULL
    parts = {
        name: (partial(in_turns, compared=each, old=old, quick=options.quick),)
        for name, each in cases.items()
    }
    measure(parser, options, parts)


def in_turns(case: str, runs: int, *, compared: Ours, old: Path, quick: bool) -> list[Row]:
    """Milliseconds of both versions, and the new one's over the old one's."""
    checkouts = {"old": old, "new": HERE}
    with ExitStack() as processes:
        sides = {
            version: processes.enter_context(calls_of(checkout, case, quick=quick))
            for version, checkout in checkouts.items()
        }
        times = alternate(sides, runs, title=case)
    ms = figures(times, "ms", factor=1e3 / compared.pieces)
    over = "new over old"
    details = {"old commit": commit(old) or "unknown"}
    row_figures = ms | {over: ratio(times["new"], times["old"])}
    return [Row(case, compared.what, row_figures, over, None, details)]


if __name__ == "__main__":
    main()
