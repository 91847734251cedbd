"""The command python -m experiments.transformers."""

from collections.abc import Sequence

from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.runs.folders import open_run
from experiments.transformers.experiment import cases_of, experiment
from experiments.transformers.figure import accuracy_table, collapse_table, transformers_figure
from experiments.transformers.options import Options


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "transformers", args)
    folder = open_run("transformers", options, free=("workers",))
    rows = experiment(options, cases_of(options), folder)
    tables = accuracy_table(rows), collapse_table(rows)
    finish(folder, transformers_figure(rows), *tables, started=started)


if __name__ == "__main__":
    main()
