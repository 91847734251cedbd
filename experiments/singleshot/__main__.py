"""The command python -m experiments.singleshot."""

from collections.abc import Sequence
from functools import partial

from experiments.method_table import STYLES
from experiments.reporting.accuracy import accuracy_figure
from experiments.reporting.ending import finish
from experiments.reporting.published import agreement, draw_paper, read_paper
from experiments.reporting.results import table
from experiments.runs.commands import begin
from experiments.runs.folders import open_run
from experiments.singleshot.experiment import experiment, task_of
from experiments.singleshot.options import Options, resolved
from experiments.singleshot.published import read_singleshot
from experiments.singleshot.rows import CompactRow, compact_text, plain


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "singleshot", args)
    options = resolved(options)
    paper = read_paper(
        partial(read_singleshot, model=options.model, data=options.data), options.paper_data
    )
    task = task_of(options)
    free = ["workers", "data_dir", "paper_data"]
    # Without it a run is the one that it was before there was the option.
    free += [] if options.compact else ["compact"]
    folder = open_run("singleshot", options, free=free)
    found = experiment(options, task, folder)
    rows = [plain(row) for row in found]
    figure = accuracy_figure(rows, chance=1 / task.data.classes)
    draw_paper(figure, paper, STYLES)
    head = f"Test accuracy in %: mean (lowest-highest) of {options.seeds} seeds."
    notes = f"{head}\nxN: in N of them a layer has collapsed."
    small = [row for row in found if isinstance(row, CompactRow)]
    texts = [table(rows), compact_text(small) if small else "", agreement(rows, paper)]
    finish(folder, figure, notes, *texts, started=started)


if __name__ == "__main__":
    main()
