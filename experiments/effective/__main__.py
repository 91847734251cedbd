"""The command python -m experiments.effective."""

from collections.abc import Sequence

from experiments.effective.experiment import experiment
from experiments.effective.figure import density_figure, table
from experiments.effective.options import Options
from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.runs.folders import open_run


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "effective", args)
    folder = open_run("effective", options)
    rows = experiment(options, folder)
    finish(folder, density_figure(rows), table(rows), started=started)


if __name__ == "__main__":
    main()
