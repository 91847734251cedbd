"""Accuracy against compression for five ways to prune at initialization.

A small version of figure 1 of Tanaka et al. 2020; run it as python -m experiments.singleshot.
"""

import time
from collections.abc import Sequence

from experiments.config import Config
from experiments.digits import CLASSES, digits
from experiments.figures import accuracy_figure, save_figure
from experiments.grid import experiment
from experiments.options import parse, refuse
from experiments.results import table
from experiments.runs import open_run


def main(args: Sequence[str] | None = None) -> None:
    """Runs the experiment that the command line asks for."""
    started = time.perf_counter()
    config = parse(Config, "python -m experiments.singleshot", args)
    training, test = digits()
    if config.batch_size > len(training.labels):
        refuse(f"--batch-size is {config.batch_size}, more than {len(training.labels)} images")
    folder = open_run("singleshot", config, free=("workers",))
    rows = experiment(config, training, test, folder)
    save_figure(accuracy_figure(rows, chance=1 / CLASSES), folder / "singleshot")
    print(f"\nTest accuracy in %: mean (lowest-highest) of {config.seeds} seeds.")
    print("xN: in N of them a layer has collapsed.\n")
    print(table(rows))
    print(f"\n{folder} has rows.csv, config.json, singleshot.png and .svg", end=" ")
    print(f"({time.perf_counter() - started:.0f} s)")


if __name__ == "__main__":
    main()
