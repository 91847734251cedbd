"""The command python -m experiments.fig4."""

from collections.abc import Sequence

from experiments.fig4.experiment import LayerScore, layer_scores
from experiments.fig4.figure import conservation_figure, table
from experiments.fig4.options import Options
from experiments.fig4.published import paper_rows
from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.untrained.options import standard_subject
from experiments.untrained.scores import score_study


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "fig4", args)
    subject = standard_subject(options)
    folder, rows = score_study("fig4", options, subject, layer_scores, LayerScore)
    theirs = paper_rows(options.paper_data) if options.paper_data else []
    figure = conservation_figure(rows, theirs, subject.model)
    finish(folder, figure, table(rows, theirs), started=started)


if __name__ == "__main__":
    main()
