"""Every architecture, score and seed, in chunks that survive a kill."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import synflow_jax as sf
from experiments.architectures.measures import (
    Measured,
    make_measure,
    scoring_batch,
    super_network,
    values_of,
)
from experiments.architectures.options import Options
from experiments.architectures.published import Published
from experiments.runs.cells import run_cells

TOGETHER = 625
"""Architectures whose scores are kept on disk together."""


class ScoreRow(NamedTuple):
    """A score of one architecture.

    Attributes:
        score: its name.
        seed: which initialization.
        architecture: which row of the file.
        value: the score; the flow and SynFlow's sum as log2.
    """

    score: str
    seed: int
    architecture: int
    value: float


def experiment(options: Options, published: list[Published], folder: Path) -> list[ScoreRow]:
    """All scores."""
    choices = sf.models.cell_choices([row.cell for row in published])
    networks = [super_network(options.seed, index) for index in range(options.seeds)]
    cells = {}
    for asked in options.scores:
        measured = make_measure(asked, networks[0])
        for index, network in enumerate(networks):
            for start in range(0, len(choices), TOGETHER):
                cells[f"{asked}-{index}-{start}"] = partial(
                    rows_of, options, measured, network.params, choices, (index, start)
                )
    return run_cells(folder, cells, ScoreRow)


def rows_of(
    options: Options, measured: Measured, params: Any, choices: np.ndarray, place: tuple[int, int]
) -> list[ScoreRow]:
    """The scores of some architectures; ``place`` is the seed and the first one's row."""
    seed, start = place
    part = choices[start : start + TOGETHER]
    batch = scoring_batch(options, seed)
    values = values_of(measured, params, part, batch, options.chunk)
    return [
        ScoreRow(name, seed, start + index, float(value))
        for name, numbers in values.items()
        for index, value in enumerate(numbers)
    ]
