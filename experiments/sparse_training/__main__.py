"""The command python -m experiments.sparse_training."""

from collections.abc import Sequence

from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.runs.folders import open_run
from experiments.sparse_training.experiment import experiment
from experiments.sparse_training.figure import table, training_figure
from experiments.sparse_training.options import Options, recipe_of
from experiments.training import load_task


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "sparse_training", args)
    task = load_task("lenet-300-100", "digits", recipe_of(options))
    folder = open_run("sparse_training", options, free=("workers",))
    rows = experiment(options, task, folder)
    finish(folder, training_figure(rows), table(rows), started=started)


if __name__ == "__main__":
    main()
