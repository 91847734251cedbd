"""The command python -m experiments.methods."""

from collections.abc import Sequence

from experiments.methods.experiment import experiment, members_of, prunings, times
from experiments.methods.figure import methods_figure, table
from experiments.methods.options import Options, recipe_of
from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.runs.folders import open_run
from experiments.training import load_task


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "methods", args)
    task = load_task("small-vgg", "digits", recipe_of(options))
    folder = open_run("methods", options, free=("workers",))
    members = members_of(options, task)
    prune = prunings(options, task, members)
    rows = experiment(options, task, members, prune, folder)
    seconds = times(options, prune, folder)
    figure = methods_figure(rows, 1 / task.data.classes)
    finish(folder, figure, table(rows, seconds), started=started)


if __name__ == "__main__":
    main()
