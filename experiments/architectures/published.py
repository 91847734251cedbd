"""Published accuracies and scores of architectures.

``sample.csv`` holds 500 of NAS-Bench-201's 15,625 cells, chosen at random: accuracies of Dong &
Yang 2020, arXiv:2001.00326, and scores from the tables of FreeREA, Cavagnero et al. 2023,
arXiv:2207.05135, joined with the cells' strings.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

import synflow_jax as sf

SAMPLE = Path(__file__).with_name("sample.csv")


class Published(NamedTuple):
    """One architecture.

    Attributes:
        cell: NAS-Bench-201's string.
        accuracy: of the test images of CIFAR-10, in %.
        params: trainable parameters.
        synflow: sum of SynFlow's scores.
        logsynflow: its log variant.
        naswot: NASWOT.
    """

    cell: str
    accuracy: float
    params: int
    synflow: float
    logsynflow: float
    naswot: float


def read_published(path: Path) -> list[Published]:
    """The architectures of a file.

    Raises:
        ValueError: it can't be read, lacks columns or rows, or a cell or number is none; the
            message says where.
    """
    try:
        lines = list(csv.DictReader(path.read_text().splitlines()))
    except OSError as error:
        raise ValueError(f"--data-file: can't read {path}: {error.strerror}") from None
    missing = [name for name in Published._fields if not lines or name not in lines[0]]
    if missing:
        raise ValueError(f"--data-file: {path} has no rows with the columns {', '.join(missing)}")
    return [_published(line, f"{path}, line {number}") for number, line in enumerate(lines, 2)]


def _published(line: dict[str, str], where: str) -> Published:
    try:
        sf.models.parse_cell(line["cell"])
        numbers = (float(line[name]) for name in ("synflow", "logsynflow", "naswot"))
        return Published(line["cell"], float(line["accuracy"]), int(line["params"]), *numbers)
    except (TypeError, ValueError) as error:
        raise ValueError(f"--data-file: {where}: {error}") from None


def some_of(rows: list[Published], count: int) -> list[Published]:
    """So many rows at random, the same each time, in their order; all where there are fewer."""
    chosen = np.random.default_rng(0).permutation(len(rows))[:count]
    return [rows[index] for index in np.sort(chosen)]
