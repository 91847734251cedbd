"""The command python -m experiments.fig2."""

from collections.abc import Sequence

from experiments.fig2.experiment import experiment
from experiments.fig2.figure import layers_figure, table
from experiments.fig2.options import Options, standard_of
from experiments.fig2.published import agreement, paper_rows
from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.runs.folders import open_run
from experiments.runs.options import refuse
from experiments.untrained.scores import default_methods, scoring_batches
from experiments.untrained.subject import subject_of


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "fig2", args)
    subject = subject_of(options, standard_of(options).subject)
    methods = default_methods(options, subject)
    try:
        batch_of = scoring_batches(options, subject, methods)
    except (ModuleNotFoundError, FileNotFoundError, ValueError) as error:
        refuse(str(error))
    folder = open_run("fig2", options, free=("data_dir", "paper_data"))
    rows = experiment(options, subject, methods, batch_of, folder)
    theirs = paper_rows(options.paper_data) if options.paper_data else []
    figure = layers_figure(rows, theirs, subject.model)
    compared = agreement(rows, theirs) if theirs else ""
    finish(folder, figure, table(rows), compared, started=started)


if __name__ == "__main__":
    main()
