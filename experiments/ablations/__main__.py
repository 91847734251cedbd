"""The command python -m experiments.ablations."""

from collections.abc import Sequence

from experiments.ablations.experiment import experiment
from experiments.ablations.figure import ablations_figure
from experiments.ablations.options import Options, recipe_of
from experiments.reporting.ending import finish
from experiments.reporting.results import Row, table
from experiments.runs.commands import begin
from experiments.runs.folders import open_run
from experiments.training.task import load_task

HEAD = "Test accuracy in %: mean (lowest-highest). xN: in N runs a layer has collapsed."


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "ablations", args)
    network, data = ("lottery/vgg16-bn", "cifar10") if options.full else ("small-vgg", "digits")
    task = load_task(network, data, recipe_of(options), options.data_dir)
    folder = open_run("ablations", options, free=("data_dir", "workers"))
    rows = experiment(options, task, folder)
    by_ablation = {
        name: [Row(*row[1:]) for row in rows if row.ablation == name] for name in options.ablations
    }
    figure = ablations_figure(by_ablation, 1 / task.data.classes)
    tables = [f"{name}\n{table(chosen)}" for name, chosen in by_ablation.items()]
    finish(folder, figure, HEAD, *tables, started=started)


if __name__ == "__main__":
    main()
