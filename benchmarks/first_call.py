"""What the first call of `sf.prune` costs: tracing and compiling, in a fresh process.

Run as ``python -m benchmarks.first_call PLATFORM NAME CLASSES ROUNDS`` it prints seconds of the
first and the second call, and how much was compiled in each.
"""

import sys

import jax

import synflow_jax as sf
from benchmarks.compilations import counted
from benchmarks.fresh import answer, in_fresh_process
from benchmarks.measure import figure, seconds
from benchmarks.networks import Network, make
from benchmarks.table import Reach, Row


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
    arguments = (network.name, str(network.classes), str(rounds))
    answers = [
        in_fresh_process("benchmarks.first_call", *arguments) for _ in range(processes or runs)
    ]
    compiling = figure([each["first"] - each["second"] for each in answers], "s")
    again = figure([each["compiled_again"] for each in answers], "compilations")
    return [
        Row(case, f"First call, {network.name}", {"compiling": compiling}, "compiling", reach),
        Row(case, f"Second call, {network.name}", {"again": again}, "again", Reach(0)),
    ]


def main(platform: str, name: str, classes: str, rounds: str) -> None:
    """The calls of one process."""
    jax.config.update("jax_platforms", platform)
    made = make(Network(name, int(classes), (32, 32, 3)))
    score_fn = sf.synflow(made.apply_fn, made.inputs)

    def call() -> object:
        return sf.prune(score_fn, made.params, 10.0, rounds=int(rounds))

    first = seconds(call)
    with counted() as compiled:
        second = seconds(call)
    answer(first=first, second=second, compiled_again=len(compiled))


if __name__ == "__main__":
    main(*sys.argv[1:])
