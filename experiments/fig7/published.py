"""The published ratios, and how far ours are from them."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.fig7.rows import Cut

PAPER_FILE = "fig7_vgg19_imagenet_schedule.csv"


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
