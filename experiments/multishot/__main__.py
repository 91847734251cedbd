"""The command python -m experiments.multishot."""

from collections.abc import Sequence

from experiments.multishot.experiment import experiment
from experiments.multishot.figure import STYLES
from experiments.multishot.options import Options, recipe_of
from experiments.multishot.published import read_multishot
from experiments.reporting.accuracy import accuracy_figure
from experiments.reporting.ending import finish
from experiments.reporting.published import agreement, draw_paper, read_paper
from experiments.reporting.results import table
from experiments.runs.commands import begin
from experiments.runs.folders import open_run
from experiments.training.task import load_task

HEAD = """Test accuracy in % by prune-train cycles: mean (lowest-highest).
xN: in N runs a layer has collapsed."""


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "multishot", args)
    paper = read_paper(read_multishot, options.paper_data)
    network, data = ("lottery/vgg11-bn", "cifar10") if options.full else ("small-vgg", "digits")
    task = load_task(network, data, recipe_of(options), options.data_dir)
    folder = open_run("multishot", options, free=("data_dir", "paper_data", "workers"))
    rows = experiment(options, task, folder)
    figure = accuracy_figure(rows, chance=1 / task.data.classes, styles=STYLES)
    draw_paper(figure, paper, STYLES)
    finish(folder, figure, HEAD, table(rows), agreement(rows, paper), started=started)


if __name__ == "__main__":
    main()
