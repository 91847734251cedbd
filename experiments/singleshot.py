"""Accuracy against compression for five ways to prune at initialization.

Figures 1 and 6 of Tanaka et al. 2020, by default in small; run it as
python -m experiments.singleshot.
"""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from experiments.config import Config, epochs_of, recipe_of, resolved
from experiments.digits import CLASSES, digits
from experiments.figures import STYLES, accuracy_figure, save_figure
from experiments.grid import experiment
from experiments.options import parse, refuse
from experiments.paper import agreement, draw_paper, read_paper, read_singleshot
from experiments.paper_size import paper_experiment
from experiments.results import Row, table
from experiments.runs import open_run
from experiments.task import load_task


def main(args: Sequence[str] | None = None) -> None:
    """Runs the experiment that the command line asks for."""
    started = time.perf_counter()
    config = resolved(parse(Config, "python -m experiments.singleshot", args))
    paper = read_paper(
        partial(read_singleshot, model=config.model, data=config.data), config.paper_data
    )
    rows, classes, folder = (small if config.model is None else paper_size)(config)
    figure = accuracy_figure(rows, chance=1 / classes)
    draw_paper(figure, paper, STYLES)
    save_figure(figure, folder / "singleshot")
    print(f"\nTest accuracy in %: mean (lowest-highest) of {config.seeds} seeds.")
    print("xN: in N of them a layer has collapsed.\n")
    print(table(rows))
    print(agreement(rows, paper), end="")
    print(f"\n{folder} has rows.csv, config.json, singleshot.png and .svg", end=" ")
    print(f"({time.perf_counter() - started:.0f} s)")


def open_folder(config: Config) -> Path:
    """The folder of the run."""
    return open_run("singleshot", config, free=("workers", "data_dir", "paper_data"))


def small(config: Config) -> tuple[list[Row], int, Path]:
    """The rows of the small VGG on the digits, its classes, and the folder."""
    training, test = digits()
    if config.batch_size > len(training.labels):
        refuse(f"--batch-size is {config.batch_size}, more than {len(training.labels)} images")
    folder = open_folder(config)
    return experiment(config, training, test, folder), CLASSES, folder


def paper_size(config: Config) -> tuple[list[Row], int, Path]:
    """The same for the network and the data set that the options name."""
    task = load_task(config.model or "", config.data, recipe_of(config), config.data_dir)
    task = task._replace(epochs=epochs_of(config))
    folder = open_folder(config)
    return paper_experiment(config, task, folder), task.data.classes, folder


if __name__ == "__main__":
    main()
