"""How much a round may cut: the largest prune size over cut size, by schedule and rounds.

Figure 7 of Tanaka et al. 2020; run it as python -m experiments.fig7. For each round of SynFlow the
prune size is the summed score of all weights that the round cuts, in whatever layer; the cut size
is the summed score of any one layer before it, the flow. Drawn is the largest ratio of the two over
the rounds. While it's below 1 no layer can collapse (theorem 3 there). That the published numbers
add up all layers shows where one round is taken: 15.4 of 19 layers' flow at a compression of 1,000.
"""

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import jax
import numpy as np

import synflow_jax as sf
from experiments.cells import run_cells
from experiments.fig7_drawing import Cut, cuts_figure, table
from experiments.figures import save_figure
from experiments.methods import score_fns
from experiments.options import check_distinct, check_range, parse
from experiments.rounds import prune_by_rounds
from experiments.runs import check_run_name, open_run
from experiments.untrained import (
    SMALL,
    VGG19_IMAGENET,
    Subject,
    check_paper_data,
    subject_of,
    untrained,
)

PAPER_FILE = "fig7_vgg19_imagenet_schedule.csv"
Schedule = Literal["linear", "exponential"]
SCHEDULES = {"linear": sf.linear, "exponential": sf.exponential}


@dataclass(frozen=True)
class Options:
    """Prune an untrained network by SynFlow in few and in many rounds and draw how large the
    largest cut was. Nothing is trained.
    """

    full: bool = False
    """The paper's network: VGG-19 for images of 224x224x3 and 1,000 classes. About 10 seconds a
    round on 2 CPU cores."""
    model: str | None = None
    """A name of synflow_jax.models, or small-vgg, the default."""
    input_shape: tuple[int, int, int] | None = None
    """Height, width and channels of an image."""
    classes: int | None = None
    """Logits of the network."""
    schedules: tuple[Schedule, ...] = get_args(Schedule)
    """How the density falls from round to round."""
    log10_compressions: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
    """log10 of each compression (weights before / weights after)."""
    rounds: tuple[int, ...] = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
    """Numbers of rounds to compare."""
    seed: int = 0
    """Start of all random numbers."""
    paper_data: Path | None = None
    """Folder with the published ratios, to be drawn and compared with."""
    results: Path = Path("results")
    """Folder for results: they go to fig7/RUN in it."""
    run: str | None = None
    """Name of this run, by default made from the options."""

    def __post_init__(self) -> None:
        check_paper_data(self, PAPER_FILE)
        for name in ("schedules", "log10_compressions", "rounds"):
            check_distinct(self, name)
        if not all(0 < power <= 9 for power in self.log10_compressions):
            listed = " ".join(map(str, self.log10_compressions))
            raise ValueError(f"--log10-compressions must be above 0 and at most 9, got {listed}")
        if min(self.rounds) < 1:
            raise ValueError(f"--rounds must be >= 1, got {min(self.rounds)}")
        check_range(self, "seed", 0, 2**32 - 1)
        check_run_name(self)
        subject = standard_subject(self)
        if self.paper_data is not None and subject != VGG19_IMAGENET:
            raise ValueError("--paper-data is for --full, whose ratios were published")


def main(args: Sequence[str] | None = None) -> None:
    """Runs the experiment that the command line asks for."""
    started = time.perf_counter()
    options = parse(Options, "python -m experiments.fig7", args)
    folder = open_run("fig7", options, free=("paper_data",))
    rows = experiment(options, folder)
    theirs = paper_rows(options.paper_data) if options.paper_data else []
    save_figure(cuts_figure(rows, theirs, standard_subject(options).model), folder / "fig7")
    print(f"\n{table(rows)}")
    if theirs:
        print(f"\n{agreement(rows, theirs)}")
    print(f"\n{folder} has rows.csv, config.json, fig7.png and .svg", end=" ")
    print(f"({time.perf_counter() - started:.0f} s)")


def standard_subject(options: Options) -> Subject:
    """The network that the options name."""
    return subject_of(options, VGG19_IMAGENET if options.full else SMALL)


def experiment(options: Options, folder: Path) -> list[Cut]:
    """Every schedule, compression and number of rounds, of one network."""
    network = untrained(standard_subject(options))
    score_fn = score_fns(network.apply_fn, network.inputs.shape[1:])["synflow"]
    params = network.params_of(jax.random.key(options.seed))
    cells = {
        f"{schedule}-{power}-{rounds}": partial(cut_rows, score_fn, params, schedule, power, rounds)
        for schedule in options.schedules
        for power in sorted(options.log10_compressions)
        for rounds in sorted(options.rounds)
    }
    return run_cells(folder, cells, Cut)


def cut_rows(
    score_fn: Callable[..., Any], params: Any, schedule: Schedule, power: float, rounds: int
) -> list[Cut]:
    """The one row of a cell."""
    done = prune_by_rounds(score_fn, params, 10**power, rounds=rounds, schedule=SCHEDULES[schedule])
    # Layers' sums differ by rounding alone; where biases carry flow, the last layer's is the least.
    ratio = max(float(each.cut.sum() / each.scores[-1]) for each in done)
    return [Cut(schedule, power, rounds, ratio)]


def paper_rows(folder: Path) -> list[Cut]:
    """The published ratios."""
    with (folder / PAPER_FILE).open() as file:
        return [
            Cut(
                schedule=line["schedule"],
                log10_compression=float(line["log10_compression"]),
                rounds=int(line["rounds"]),
                ratio=float(line["max_prune_size_ratio"]),
            )
            for line in csv.DictReader(file)
        ]


def deviations(rows: Sequence[Cut], theirs: Sequence[Cut]) -> np.ndarray:
    """Our ratio / the published one - 1 wherever there are both."""
    published = {(r.schedule, round(r.log10_compression, 6), r.rounds): r.ratio for r in theirs}
    pairs = [
        (row.ratio, published.get((row.schedule, round(row.log10_compression, 6), row.rounds)))
        for row in rows
    ]
    return np.asarray([ours / other - 1 for ours, other in pairs if other])


def agreement(rows: Sequence[Cut], theirs: Sequence[Cut]) -> str:
    """How far our ratios are from the published ones, as text."""
    found = np.abs(deviations(rows, theirs))
    if not found.size:
        return "No ratio was published for these compressions and rounds."
    return (
        f"{found.size} ratios differ from the published ones by {100 * np.median(found):.2f} % "
        f"(median) and {100 * found.max():.2f} % (largest)."
    )


if __name__ == "__main__":
    main()
