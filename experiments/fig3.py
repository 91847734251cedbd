"""The score that enters each hidden unit against the score that leaves it.

Figure 3 of Tanaka et al. 2020, on an untrained network; run it as python -m experiments.fig3.
SynFlow conserves: what enters a unit leaves it. A unit is a channel of a convolution or an output
of a dense layer; the scores of its incoming weights and those of its outgoing weights are summed.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments.cells import run_cells
from experiments.figures import STYLES, save_figure
from experiments.options import parse, refuse
from experiments.results import methods_of
from experiments.runs import open_run
from experiments.score_options import Options, standard_subject
from experiments.untrained import default_methods, scores_of


class UnitScore(NamedTuple):
    """One hidden unit under one method.

    Attributes:
        method: name of the score.
        layer: name of the kernel before it.
        unit: its number in that layer.
        score_in: sum of the scores of its incoming weights.
        score_out: sum of the scores of its outgoing weights.
    """

    method: str
    layer: str
    unit: int
    score_in: float
    score_out: float


def main(args: Sequence[str] | None = None) -> None:
    """Runs the experiment that the command line asks for."""
    started = time.perf_counter()
    options = parse(Options, "python -m experiments.fig3", args)
    subject = standard_subject(options)
    if "resnet" in subject.model:
        refuse(f"--model {subject.model}: units are told apart only where layers follow in a line")
    if options.paper_data is not None:
        refuse("--paper-data: no numbers were published for units")
    try:
        scores = scores_of(options, subject, default_methods(options, subject))
    except (ModuleNotFoundError, FileNotFoundError, ValueError) as error:
        refuse(str(error))
    folder = open_run("fig3", options, free=("data_dir",))
    cells = {method: partial(unit_scores, method, each) for method, each in scores.items()}
    rows = run_cells(folder, cells, UnitScore)
    save_figure(units_figure(rows, subject.model), folder / "fig3")
    print(f"\n{table(rows)}")
    print(f"\n{folder} has rows.csv, config.json, fig3.png and .svg", end=" ")
    print(f"({time.perf_counter() - started:.0f} s)")


def unit_scores(method: str, scores: Callable[[], dict[str, jax.Array]]) -> list[UnitScore]:
    """Both sums for each hidden unit, in float64; layers in the order of the network."""
    kernels = [(name, np.asarray(x, np.float64)) for name, x in scores().items()]
    return [
        UnitScore(method, name, unit, float(entering), float(leaving))
        for (name, before), (_, after) in pairwise(kernels)
        for unit, (entering, leaving) in enumerate(zip(*in_and_out(before, after), strict=True))
    ]


def in_and_out(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the scores of two kernels at the units between them, each of shape ``(units,)``.

    Kernels hold the outputs last and the inputs before them. A dense kernel after a feature map has
    the channels as the fastest of its inputs.
    """
    units = before.shape[-1]
    return before.reshape(-1, units).sum(0), after.reshape(-1, units, after.shape[-1]).sum((0, 2))


def correlation(rows: Sequence[UnitScore], method: str) -> float:
    """Pearson's correlation of score in and score out over all hidden units."""
    return float(np.corrcoef(*_sums(rows, method).T)[0, 1])


def largest_difference(rows: Sequence[UnitScore], method: str) -> float:
    """The largest |in - out| / max(|in|, |out|) of a unit."""
    sums = _sums(rows, method)
    scale = np.abs(sums).max(axis=1)
    return float((np.abs(sums[:, 0] - sums[:, 1])[scale > 0] / scale[scale > 0]).max())


def table(rows: Sequence[UnitScore]) -> str:
    """Correlation and largest difference of each method, as text."""
    lines = [f"{'':<10}{'correlation':>12}  largest |in - out| / larger of them"]
    for method in methods_of(rows):
        difference = largest_difference(rows, method)
        lines.append(f"{method:<10}{correlation(rows, method):12.6f}  {difference:.2g}")
    return "\n".join(lines)


def units_figure(rows: Sequence[UnitScore], model: str) -> Figure:
    """A panel a method: each hidden unit a dot, on the diagonal where its score is conserved."""
    methods = methods_of(rows)
    figure = Figure(figsize=(0.8 + 2.5 * len(methods), 3.2), layout="constrained")
    for axes, method in zip(
        figure.subplots(1, len(methods), squeeze=False)[0], methods, strict=True
    ):
        # GraSP's sums have both signs.
        sums = np.abs(_sums(rows, method))
        sums = sums[(sums > 0).all(axis=1)]
        ends = sums.min() / 1.5, sums.max() * 1.5
        axes.loglog(ends, ends, color="0.5", linestyle=":", linewidth=1)
        style = STYLES[method]
        axes.plot(*sums.T, ".", color=style.color, ms=4, alpha=0.6, mew=0, rasterized=True)
        axes.set_xlim(*ends)
        axes.set_ylim(*ends)
        axes.set_aspect("equal")
        axes.set_title(f"{style.label}: r = {correlation(rows, method):.3f}", fontsize=10)
        axes.set_xlabel("Score in")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("Score out")
    figure.suptitle(f"{model}, untrained; a dot is a unit", fontsize=9, color="0.35")
    return figure


def _sums(rows: Sequence[UnitScore], method: str) -> np.ndarray:
    return np.asarray([(row.score_in, row.score_out) for row in rows if row.method == method])


if __name__ == "__main__":
    main()
