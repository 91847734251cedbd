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
from typing import Any, Literal, NamedTuple, get_args

import jax
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import synflow_jax as sf
from experiments.cells import run_cells
from experiments.figures import save_figure
from experiments.options import check_distinct, check_range, parse
from experiments.results import compression_text, compressions_of
from experiments.rounds import prune_by_rounds
from experiments.runs import check_run_name, open_run
from experiments.untrained import (
    SMALL,
    VGG19_IMAGENET,
    Subject,
    check_paper_data,
    score_functions,
    subject_of,
    untrained,
)

PAPER_FILE = "fig7_vgg19_imagenet_schedule.csv"
Schedule = Literal["linear", "exponential"]
SCHEDULES = {"linear": sf.linear, "exponential": sf.exponential}


class Cut(NamedTuple):
    """The largest cut of one network's pruning.

    Attributes:
        schedule: how the density falls.
        log10_compression: log10 of weights before / weights after.
        rounds: how many.
        ratio: the largest prune size / cut size of a round.
    """

    schedule: str
    log10_compression: float
    rounds: int
    ratio: float


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
    score_fn = score_functions(network.apply_fn, network.inputs)["synflow"]
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


def table(rows: Sequence[Cut]) -> str:
    """The ratios as text, a line for each schedule and number of rounds."""
    powers = compressions_of(rows)
    header = "".join(f"{compression_text(power):>9}" for power in powers)
    lines = ["Largest prune size / cut size, by compression:", f"{'':<12}{'rounds':>7}{header}"]
    ratios = {row[:3]: row.ratio for row in rows}
    for schedule, rounds in dict.fromkeys((row.schedule, row.rounds) for row in rows):
        values = "".join(f"{ratios[schedule, power, rounds]:9.4f}" for power in powers)
        lines.append(f"{schedule:<12}{rounds:>7}{values}")
    return "\n".join(lines)


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


def cuts_figure(rows: Sequence[Cut], theirs: Sequence[Cut], model: str) -> Figure:
    """A panel a schedule, a line a compression: the largest ratio against rounds."""
    schedules = list(dict.fromkeys(row.schedule for row in rows))
    figure = Figure(figsize=(1.4 + 3.2 * len(schedules), 3.5), layout="constrained")
    panels = figure.subplots(1, len(schedules), sharex=True, sharey=True, squeeze=False)[0]
    for axes, schedule in zip(panels, schedules, strict=True):
        axes.axhline(1, color="0.3", linestyle=(0, (4, 3)), linewidth=1)
        _draw(axes, [r for r in rows if r.schedule == schedule], published=False)
        shown = [r for r in theirs if (r.schedule, r.ratio > 0) == (schedule, True)]
        _draw(axes, shown, published=True)
        axes.set_title(f"{schedule} schedule", fontsize=10)
        axes.set_xlabel("Rounds")
        axes.set_yscale("log")
        axes.grid(color="0.93", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("Largest prune size / cut size")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles[::-1], labels[::-1], loc="outside right upper", title="Compression", frameon=False
    )
    note = "below the dashed line no layer can collapse"
    published = "; hollow: published" if theirs else ""
    figure.suptitle(f"{model}, untrained; {note}{published}", fontsize=9, color="0.35")
    return figure


def _draw(axes: Axes, rows: Sequence[Cut], *, published: bool) -> None:
    powers = compressions_of(rows)
    for index, power in enumerate(powers):
        color = colormaps["viridis_r"](0.15 + 0.85 * index / max(1, len(powers) - 1))
        points = [(r.rounds, r.ratio) for r in rows if r.log10_compression == power]
        x, y = np.asarray(points).T
        if published:
            axes.plot(x, y, "o", color=color, mfc="none", ms=7, mew=1)
        else:
            axes.plot(x, y, "o-", color=color, ms=3.5, label=compression_text(power))


if __name__ == "__main__":
    main()
