"""The command python -m experiments.train; started again with the same options it goes on where it
was.
"""

from collections.abc import Sequence

from experiments.runs.commands import begin
from experiments.train.experiment import run
from experiments.train.options import Options
from experiments.training.processes import ended_together, join


def main(args: Sequence[str] | None = None) -> None:
    """Runs what the command line asks for."""
    options, _ = begin(Options, "train", args)
    join(options.coordinator, options.processes, options.process)
    with ended_together():
        run(options)


if __name__ == "__main__":
    main()
