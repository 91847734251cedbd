"""The average score in each layer against the inverse of the layer's size.

Figure 4 of Tanaka et al. 2020; run it as python -m experiments.fig4. SynFlow's scores add up to the
same flow in every layer, so their average is proportional to the inverse size: on logarithmic axes
a line of slope 1. A layer is a kernel here; the published sizes count its biases too, which start
at zero and score zero there.
"""

import csv
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments.cells import run_cells
from experiments.figures import STYLES, save_figure
from experiments.options import parse, refuse
from experiments.results import methods_of
from experiments.runs import open_run
from experiments.score_options import PAPER_FILE, Options, standard_subject
from experiments.untrained import default_methods, scores_of


class LayerScore(NamedTuple):
    """One layer under one method.

    Attributes:
        method: name of the score.
        layer: name of its parameter.
        inverse_size: 1 / its weights.
        average: of its scores; GraSP's have both signs, of them the average's absolute value.
    """

    method: str
    layer: str
    inverse_size: float
    average: float


def main(args: Sequence[str] | None = None) -> None:
    """Runs the experiment that the command line asks for."""
    started = time.perf_counter()
    options = parse(Options, "python -m experiments.fig4", args)
    subject = standard_subject(options)
    try:
        scores = scores_of(options, subject, default_methods(options, subject))
    except (ModuleNotFoundError, FileNotFoundError, ValueError) as error:
        refuse(str(error))
    folder = open_run("fig4", options, free=("data_dir", "paper_data"))
    cells = {method: partial(layer_scores, method, each) for method, each in scores.items()}
    rows = run_cells(folder, cells, LayerScore)
    theirs = paper_rows(options.paper_data) if options.paper_data else []
    save_figure(conservation_figure(rows, theirs, subject.model), folder / "fig4")
    print(f"\n{table(rows, theirs)}")
    print(f"\n{folder} has rows.csv, config.json, fig4.png and .svg", end=" ")
    print(f"({time.perf_counter() - started:.0f} s)")


def layer_scores(method: str, scores: Callable[[], dict[str, jax.Array]]) -> list[LayerScore]:
    """The average score of each layer, added up in float64."""
    return [
        LayerScore(method, name, 1 / x.size, abs(float(np.asarray(x).mean(dtype=np.float64))))
        for name, x in scores().items()
    ]


def slope(rows: Sequence[LayerScore], method: str) -> float:
    """The least-squares slope of log(average) against log(inverse size), each layer one point."""
    chosen = [row for row in rows if row.method == method]
    x, y = (np.log10([getattr(r, name) for r in chosen]) for name in ("inverse_size", "average"))
    return float(np.polyfit(x, y, 1)[0])


def paper_rows(folder: Path) -> list[LayerScore]:
    """The published averages for the untrained network."""
    with (folder / PAPER_FILE).open() as file:
        return [
            LayerScore(
                method=line["method"],
                layer=line["layer"],
                inverse_size=float(line["inverse_layer_size"]),
                average=float(line["average_score"]),
            )
            for line in csv.DictReader(file)
            if line["weights"] == "initialization"
        ]


def table(rows: Sequence[LayerScore], theirs: Sequence[LayerScore]) -> str:
    """The slope of each method, as text."""
    lines = ["Slope of log(average score) against log(1 / layer size):"]
    for method in methods_of(rows):
        published = f"  published {slope(theirs, method):7.4f}" if theirs else ""
        lines.append(f"{method:<10}{slope(rows, method):8.4f}{published}")
    return "\n".join(lines)


def conservation_figure(
    rows: Sequence[LayerScore], theirs: Sequence[LayerScore], model: str
) -> Figure:
    """A panel a method: each layer a marker, hollow ones the published, and their slopes."""
    methods = methods_of(rows)
    figure = Figure(figsize=(0.6 + 2.4 * len(methods), 3.1), layout="constrained")
    panels = figure.subplots(1, len(methods), sharex=True, squeeze=False)[0]
    for axes, method in zip(panels, methods, strict=True):
        style = STYLES[method]
        sources = ((rows, style.color, 5, "ours"), (theirs, "none", 10, "published"))
        for source, face, size, name in sources:
            points = [(r.inverse_size, r.average) for r in source if r.method == method]
            if not points:
                continue
            x, y = np.asarray(points).T
            # Methods are scaled differently here and there; only slopes are comparable.
            label = f"{name}: slope {slope(source, method):.2f}"
            axes.loglog(
                x, y / y[0], style.marker, color=style.color, mfc=face, label=label, ms=size
            )
        ends = np.asarray([min(r.inverse_size for r in rows), max(r.inverse_size for r in rows)])
        axes.plot(ends, ends / ends[-1], color="0.5", linestyle=":", label="slope 1", zorder=1)
        axes.set_title(style.label, fontsize=10)
        axes.set_xlabel("1 / layer size")
        axes.legend(fontsize=7.5, frameon=False, loc="upper left")
        axes.set_ylim(ends[0] / ends[-1] / 3, 300)
        axes.grid(color="0.93", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("Average score (first layer's = 1)")
    figure.suptitle(f"{model}, untrained", fontsize=9, color="0.35")
    return figure


if __name__ == "__main__":
    main()
