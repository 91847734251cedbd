"""The figure and the tables of architectures' scores."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import synflow_jax as sf
from experiments.architectures.agreement import agreement, spearman
from experiments.architectures.published import Published
from experiments.architectures.search import evolve, random_search, remembered
from experiments.reporting.axes import tidy
from experiments.reporting.results import aligned

LABELS = {
    "synflow": "log2 of SynFlow's sum",
    "depth": "kernels on a path, mean by flow",
    "params": "params",
}
LOWEST_SHOWN = 80.0


def scatter_figure(scores: dict[str, np.ndarray], accuracies: np.ndarray) -> Figure:
    """A panel a score: accuracy against it; cells without a path at the left edge, in red."""
    shown = [name for name in LABELS if name in scores]
    figure = Figure(figsize=(0.6 + 3.4 * len(shown), 3.4), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    best = accuracies >= np.quantile(accuracies, 0.99)
    for name, axes in zip(shown, panels, strict=True):
        _scatter(axes, scores[name], accuracies, best)
        rho = agreement(scores[name], accuracies).spearman
        axes.set_title(f"Spearman's correlation {rho:.3f}", loc="left", fontsize=9)
        axes.set_xlabel(LABELS[name])
        tidy(axes)
    panels[0].set_ylabel("Published accuracy (%)")
    panels[0].legend(loc="lower right", fontsize=8, frameon=False, markerscale=2)
    return figure


def _scatter(axes: Axes, values: np.ndarray, accuracies: np.ndarray, best: np.ndarray) -> None:
    finite = np.isfinite(values)
    edge = values[finite].min() if finite.any() else 0.0
    places = np.where(finite, values, edge)
    heights = np.maximum(accuracies, LOWEST_SHOWN)
    size = 5 if len(values) < 2000 else 2
    for chosen, color, label in (
        (finite & ~best, "tab:blue", "with a path"),
        (finite & best, "tab:orange", "best 1 %"),
        (~finite, "tab:red", "without a path"),
    ):
        if chosen.any():
            draw = {"s": size, "color": color, "label": label, "linewidths": 0}
            axes.scatter(places[chosen], heights[chosen], **draw, rasterized=True)
    axes.set_ylim(LOWEST_SHOWN - 0.5, 95.5)


def agreement_table(scores: dict[str, np.ndarray], accuracies: np.ndarray) -> str:
    """How far each score agrees with the accuracies, over all and over the top tenth."""
    lines: list[tuple[str, ...]] = [
        ("score", "Spearman", "Kendall", "top tenth", "its Kendall", "best 10 in top 1 %")
    ]
    for name, values in scores.items():
        *numbers, best = agreement(values, accuracies)
        lines.append((name, *(f"{number:.3f}" for number in numbers), str(best)))
    return f"Scores and published accuracies of {len(accuracies):,} cells:\n{aligned(lines)}"


def reproduction_text(scores: dict[str, np.ndarray], published: list[Published]) -> str:
    """How far computed scores agree with the published ones."""
    texts = []
    if "synflow" in scores:
        theirs = np.array([row.synflow for row in published])
        alive = theirs > 0
        same = int(np.sum(np.isfinite(scores["synflow"]) == alive))
        rho = spearman(scores["synflow"][alive], theirs[alive])
        texts.append(
            f"SynFlow's sum against the published one: Spearman {rho:.4f} over {alive.sum():,} "
            f"cells with a path; with or without a path the same for {same:,} of {len(alive):,}"
        )
    for name in ("logsynflow", "naswot"):
        if name in scores:
            theirs = np.array([getattr(row, name) for row in published])
            some = np.isfinite(theirs) & np.isfinite(scores[name])
            rho = spearman(scores[name][some], theirs[some])
            texts.append(f"{name} against the published one: Spearman {rho:.4f}")
    return "\n".join(texts)


def search_table(
    scores: dict[str, np.ndarray], published: list[Published], runs: int, seed: int
) -> str:
    """The accuracy that searches end at, by score."""
    choices = sf.models.cell_choices([row.cell for row in published])
    places = {tuple(cell): index for index, cell in enumerate(choices.argmax(-1).tolist())}
    accuracies = np.array([row.accuracy for row in published])

    def of(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        return lambda cells: values[[places[tuple(cell)] for cell in cells.tolist()]]

    lines = [("search", "accuracy", "its std", "best possible")]
    chosen = [name for name in scores if name.startswith(("synflow", "log flow", "params"))]
    for name in [name for name in chosen if "published" not in name]:
        fitness = remembered(of(np.nan_to_num(scores[name], neginf=-1e9)))
        for way, search in (("evolution", evolve), ("random search", random_search)):
            ends = of(accuracies)(search(fitness, runs, seed))
            numbers = (f"{ends.mean():.2f}", f"{ends.std():.2f}", f"{accuracies.max():.2f}")
            lines.append((f"{way} by {name}", *numbers))
    mean = (f"{accuracies.mean():.2f}", f"{accuracies.std():.2f}", f"{accuracies.max():.2f}")
    lines.append(("one cell at random", *mean))
    return f"Accuracies (%) that {runs} runs of 200 cells end at:\n{aligned(lines)}"
