"""What the first call of `sf.prune` costs: tracing and compiling, in a fresh process."""

from typing import Any

from benchmarks.harness.compilations import counted
from benchmarks.harness.figures import figure
from benchmarks.harness.fresh import in_fresh_process
from benchmarks.harness.pruning import synflow_call
from benchmarks.harness.table import Reach, Row
from benchmarks.harness.timing import seconds
from benchmarks.networks.zoo import Network, make


def first_calls(
    case: str,
    runs: int,
    *,
    network: Network,
    rounds: int,
    processes: int | None = None,
    reach: Reach | None = None,
) -> list[Row]:
    """Seconds that the first call takes longer than the second, which compiles nothing.

    There are as many processes as ``runs`` unless ``processes`` says otherwise.
    """
    found = [in_fresh_process(two_calls, *network, rounds) for _ in range(processes or runs)]
    compiling = figure([each["first"] - each["second"] for each in found], "s")
    again = figure([each["compiled_again"] for each in found], "compilations")
    return [
        Row(case, f"First call, {network.name}", {"compiling": compiling}, "compiling", reach),
        Row(case, f"Second call, {network.name}", {"again": again}, "again", Reach(0)),
    ]


def two_calls(name: str, classes: int, side: int, rounds: int) -> dict[str, Any]:
    """Seconds of the first and the second call of a process, and compilations of the second."""
    call = synflow_call(make(Network(name, classes, side)), rounds)
    first = seconds(call)
    with counted() as compiled:
        second = seconds(call)
    return {"first": first, "second": second, "compiled_again": len(compiled)}
