"""The command python -m experiments.units."""

from collections.abc import Sequence

from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.runs.folders import open_run
from experiments.training import load_task
from experiments.units.compare import compare
from experiments.units.experiment import cases_of, experiment
from experiments.units.figure import accuracy_table, step_table, units_figure
from experiments.units.options import Options, subjects_of
from experiments.units.steps import step_rows


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "units", args)
    free = ("data_dir", "workers")
    if options.compare:
        folder = open_run("units", options, free=free)
        print(f"{compare(options, folder)}\n\n{folder} has rows.csv and config.json")
        return
    tasks = [
        (network, load_task(network, data, recipe, options.data_dir))
        for network, data, recipe in subjects_of(options)
    ]
    folder = open_run("units", options, free=free)
    cases = cases_of(options, tasks)
    rows = experiment(options, cases, folder)
    steps = step_rows(options, cases, folder)
    figure = units_figure(rows, {network: data for network, data, _ in subjects_of(options)})
    finish(folder, figure, accuracy_table(rows), step_table(steps), started=started)


if __name__ == "__main__":
    main()
