"""The published table of what VGG-16's layers keep on CIFAR-100, and how ours agrees with it.

All methods went 100 rounds there. For magnitude that gives the mask of one round, for random
scores, drawn anew each round, one of the same distribution. The last dense layer is among the 14.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from experiments.fig2.rows import LayerKept, critical_compressions, kept_array
from experiments.method_table import METHODS
from experiments.reporting.results import methods_of

PAPER_FILE = "fig1_vgg16bn_cifar100_layers.csv"


class Agreement(NamedTuple):
    """How far what our layers keep lies from the published runs.

    Attributes:
        compared: layers and compressions that are compared.
        ratio: the mean square distance of our sqrt(kept) from the mean of their runs, over what
            their runs' own variance lets expect: 1 if ours is another run of theirs. The square
            root gives counts of every size a similar variance.
        quantile: of F, which such a ratio exceeds 1 in 1,000 times if all are independent. Ours
            share an initialization over compressions, so it's exceeded somewhat more often.
        largest: the largest distance of our log10(kept) from the logarithm of their mean, where
            that is over 1,000; 0 if it nowhere is.
    """

    compared: int
    ratio: float
    quantile: float
    largest: float


def paper_rows(folder: Path) -> list[LayerKept]:
    """The published rows of the methods that need no data; runs are seeds."""
    with (folder / PAPER_FILE).open() as file:
        return [
            LayerKept(
                method=line["method"],
                seed=int(line["run"]),
                compression=10 ** float(line["log10_compression"]),
                layer=line["layer"],
                size=int(line["size"]),
                kept=int(line["kept"]),
            )
            for line in csv.DictReader(file)
            if line["method"] in METHODS and not METHODS[line["method"]].needs_data
        ]


def compare(rows: Sequence[LayerKept], theirs: Sequence[LayerKept], method: str) -> Agreement:
    """Our runs of a method against theirs, at the compressions that both have but 1.

    Raises:
        ValueError: the layers differ in number, or no compression is common.
    """
    (our_compressions, ours), (their_compressions, runs) = (
        kept_array(each, method) for each in (rows, theirs)
    )
    if ours.shape[2] != runs.shape[2]:
        raise ValueError(f"{ours.shape[2]} layers can't be compared with {runs.shape[2]}")
    common = [
        (i, j)
        for i, a in enumerate(our_compressions)
        for j, b in enumerate(their_compressions)
        if np.isclose(a, b) and a > 1
    ]
    if not common:
        raise ValueError("no compression is in the published table; they are 10^0.25, 10^0.5, ...")
    ours, runs = ours[[i for i, _ in common]], runs[[j for _, j in common]]
    distance = (np.sqrt(ours).mean(axis=1) - np.sqrt(runs).mean(axis=1)) ** 2
    variance = np.sqrt(runs).var(axis=1, ddof=1)
    count, seeds = runs.shape[1], ours.shape[1]
    return Agreement(
        compared=distance.size,
        ratio=float(distance.mean() / (variance.mean() * (1 / seeds + 1 / count))),
        quantile=float(stats.f.isf(1e-3, distance.size, distance.size * (count - 1))),
        largest=_largest_distance(ours.mean(axis=1), runs.mean(axis=1)),
    )


def agreement(rows: Sequence[LayerKept], theirs: Sequence[LayerKept]) -> str:
    """What ours and the published runs say of each method, as text."""
    methods = [m for m in methods_of(theirs) if m in methods_of(rows)]
    lines = []
    for method in methods:
        found = compare(rows, theirs, method)
        ours, published = (_criticals(each, method) for each in (rows, theirs))
        lines.append(
            f"{method}: F = {found.ratio:.2f} over {found.compared} layers and compressions "
            f"(1 expected, {found.quantile:.2f} exceeded 1 in 1,000 times);\n"
            f"  log10(kept) off by {found.largest:.3f} at most where over 1,000 are kept;\n"
            f"  critical log10(compression) {ours}, published {published}"
        )
    return "\n".join(lines)


def _largest_distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    large = theirs > 1000
    return float(np.abs(np.log10(ours[large] / theirs[large])).max(initial=0))


def _criticals(rows: Sequence[LayerKept], method: str) -> str:
    found = critical_compressions(*kept_array(rows, method))
    return " ".join(f"{power:.2f}" for power in np.log10(np.maximum(found, 1)))
