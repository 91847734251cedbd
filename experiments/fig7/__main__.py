"""The command python -m experiments.fig7."""

from collections.abc import Sequence

from experiments.fig7.experiment import experiment
from experiments.fig7.figure import cuts_figure, table
from experiments.fig7.options import Options
from experiments.fig7.published import agreement, paper_rows
from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.runs.folders import open_run
from experiments.untrained.options import standard_subject


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "fig7", args)
    folder = open_run("fig7", options, free=("paper_data",))
    rows = experiment(options, folder)
    theirs = paper_rows(options.paper_data) if options.paper_data else []
    figure = cuts_figure(rows, theirs, standard_subject(options).model)
    compared = agreement(rows, theirs) if theirs else ""
    finish(folder, figure, table(rows), compared, started=started)


if __name__ == "__main__":
    main()
