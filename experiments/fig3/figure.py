"""The figure and the table of scores in and out."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from experiments.fig3.experiment import UnitScore
from experiments.method_table import STYLES
from experiments.reporting.axes import tidy
from experiments.reporting.results import methods_of


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
        tidy(axes, grid=None)
    figure.axes[0].set_ylabel("Score out")
    figure.suptitle(f"{model}, untrained; a dot is a unit", fontsize=9, color="0.35")
    return figure


def _sums(rows: Sequence[UnitScore], method: str) -> np.ndarray:
    return np.asarray([(row.score_in, row.score_out) for row in rows if row.method == method])
