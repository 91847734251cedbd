"""Accuracy against compression for five ways to prune at initialization.

A small version of figure 1 of Tanaka et al. 2020; run it as python -m experiments.singleshot.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.config import Config
from experiments.digits import CLASSES, digits
from experiments.figures import accuracy_figure
from experiments.grid import experiment
from experiments.options import parse, refuse
from experiments.results import config_json, rows_csv, run_name, table, write_atomically


def main(args: Sequence[str] | None = None) -> None:
    """Runs the experiment that the command line asks for."""
    started = time.perf_counter()
    config = parse(Config, "python -m experiments.singleshot", args)
    training, test = digits()
    if config.batch_size > len(training.labels):
        refuse(f"--batch-size is {config.batch_size}, more than {len(training.labels)} images")
    name = config.run or run_name(replace(config, run=None, results=Path(), workers=1))
    folder = config.results / "singleshot" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        refuse(f"--results: can't make {folder}: {error.strerror}")
    rows = experiment(config, training, test)
    write_atomically(folder / "rows.csv", lambda path: path.write_text(rows_csv(rows)))
    write_atomically(folder / "config.json", lambda path: path.write_text(config_json(config)))
    figure = accuracy_figure(rows, chance=1 / CLASSES)
    write_atomically(folder / "singleshot.png", lambda path: figure.savefig(path, dpi=200))
    print(f"\nTest accuracy in %: mean (lowest-highest) of {config.seeds} seeds.")
    print("xN: in N of them a layer has collapsed.\n")
    print(table(rows))
    print(f"\n{folder} has rows.csv, config.json and singleshot.png", end=" ")
    print(f"({time.perf_counter() - started:.0f} s)")


if __name__ == "__main__":
    main()
