"""The command python -m experiments.methods."""

from collections.abc import Sequence

from experiments.methods.experiment import experiment, masks_of, times
from experiments.methods.figure import methods_figure, table
from experiments.methods.options import Options, recipe_of
from experiments.methods.ways import make_case
from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.runs.folders import open_run
from experiments.training import load_task, make_member


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "methods", args)
    task = load_task("small-vgg", "digits", recipe_of(options))
    folder = open_run("methods", options, free=("workers",))
    seeds = range(options.seeds)
    case = make_case(
        task, [make_member(task, options.seed, i, per_class=options.scoring_images) for i in seeds]
    )
    masks = masks_of(options, case)
    rows = experiment(options, case, masks, folder)
    seconds = times(options, case, masks, folder)
    figure = methods_figure(rows, 1 / task.data.classes)
    finish(folder, figure, table(rows, seconds), started=started)


if __name__ == "__main__":
    main()
