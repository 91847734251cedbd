"""The command python -m experiments.architectures."""

from collections.abc import Sequence

import numpy as np

from experiments.architectures.experiment import experiment
from experiments.architectures.figure import (
    agreement_table,
    reproduction_text,
    scatter_figure,
    search_table,
)
from experiments.architectures.options import Options
from experiments.architectures.published import SAMPLE, read_published, some_of
from experiments.architectures.scores import all_scores
from experiments.reporting.ending import finish
from experiments.runs.commands import begin
from experiments.runs.folders import open_run
from experiments.runs.options import refuse

CELLS = 15_625


def main(args: Sequence[str] | None = None) -> None:
    """Runs the study that the command line asks for."""
    options, started = begin(Options, "architectures", args)
    try:
        published = read_published(options.data_file or SAMPLE)
    except ValueError as error:
        refuse(str(error))
    if not options.full:
        published = some_of(published, 500)
    folder = open_run("architectures", options, free=("chunk",))
    scores = all_scores(experiment(options, published, folder), published)
    accuracies = np.array([row.accuracy for row in published])
    texts = [reproduction_text(scores, published), agreement_table(scores, accuracies)]
    if len({row.cell for row in published}) == CELLS:
        texts.append(search_table(scores, published, options.search_runs, options.seed))
    finish(folder, scatter_figure(scores, accuracies), *texts, started=started)


if __name__ == "__main__":
    main()
