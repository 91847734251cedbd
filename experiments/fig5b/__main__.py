"""The command python -m experiments.fig5b."""

from collections.abc import Sequence
from functools import partial

from experiments.fig5b.experiment import LayerRow, layer_rows, slopes_at
from experiments.fig5b.figure import conservation_figure, table
from experiments.fig5b.options import Options, recipe_of, shown_epochs
from experiments.reporting.ending import finish
from experiments.runs.cells import run_cells
from experiments.runs.commands import begin
from experiments.runs.folders import open_run
from experiments.training.task import load_task


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "fig5b", args)
    network, data = ("lottery/vgg11-bn", "cifar10") if options.full else ("plain-conv", "digits")
    task = load_task(options.model or network, data, recipe_of(options), options.data_dir)
    folder = open_run("fig5b", options, free=("data_dir",))
    rows = run_cells(folder, {"training": partial(layer_rows, options, task)}, LayerRow)
    slopes = {epoch: slopes_at(rows, epoch) for epoch in shown_epochs(options)}
    finish(folder, conservation_figure(rows, slopes), table(rows, slopes), started=started)


if __name__ == "__main__":
    main()
