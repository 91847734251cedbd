"""The command python -m experiments.compact."""

from collections.abc import Sequence

from experiments.compact.experiment import experiment
from experiments.compact.figure import table, time_figure
from experiments.compact.options import Options, recipe_of
from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.runs.folders import open_run
from experiments.training import load_task


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "compact", args)
    network, data = ("lottery/vgg16-bn", "cifar100") if options.full else ("wide-vgg", "digits")
    task = load_task(network, data, recipe_of(options), options.data_dir)
    folder = open_run("compact", options, free=("data_dir",))
    rows = experiment(options, task, folder)
    finish(folder, time_figure(rows), table(rows), started=started)


if __name__ == "__main__":
    main()
