"""The command python -m experiments.similarity."""

from collections.abc import Sequence

from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.runs.folders import open_run
from experiments.similarity.experiment import experiment, make_case
from experiments.similarity.figure import similarity_figure, similarity_table
from experiments.similarity.options import Options


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "similarity", args)
    folder = open_run("similarity", options, free=("workers",))
    cases = [make_case(options, network) for network in options.networks]
    rows = experiment(options, cases, folder)
    finish(folder, similarity_figure(rows), similarity_table(rows), started=started)


if __name__ == "__main__":
    main()
