"""The command python -m experiments.fig3."""

from collections.abc import Sequence

from experiments.fig3.experiment import UnitScore, unit_scores
from experiments.fig3.figure import table, units_figure
from experiments.fig3.options import Options
from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.untrained.options import standard_subject
from experiments.untrained.scores import score_study


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "fig3", args)
    subject = standard_subject(options)
    given = "fig3", options, subject, unit_scores, UnitScore
    folder, rows = score_study(*given, free=("data_dir",))
    finish(folder, units_figure(rows, subject.model), table(rows), started=started)


if __name__ == "__main__":
    main()
