"""The command python -m experiments.inputs."""

from collections.abc import Sequence

from experiments.inputs.experiment import experiment
from experiments.inputs.figure import inputs_figure, table
from experiments.inputs.options import Options
from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.runs.folders import open_run


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "inputs", args)
    folder = open_run("inputs", options)
    rows = experiment(options, folder)
    finish(folder, inputs_figure(rows), table(rows), started=started)


if __name__ == "__main__":
    main()
