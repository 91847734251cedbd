"""The command python -m experiments.lottery."""

from collections.abc import Sequence

from experiments.lottery.experiment import experiment, network_task
from experiments.lottery.figure import lottery_figure
from experiments.lottery.options import Options
from experiments.lottery.rows import lottery_table
from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.runs.folders import open_run


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "lottery", args)
    tasks = {name: network_task(options, name) for name in options.networks}
    folder = open_run("lottery", options, free=("data_dir", "workers"))
    rows = experiment(options, tasks, folder)
    head = f"Test accuracy in %; means over seeds, of which there are {options.seeds}."
    finish(folder, lottery_figure(rows), head, lottery_table(rows), started=started)


if __name__ == "__main__":
    main()
