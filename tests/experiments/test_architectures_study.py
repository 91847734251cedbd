"""The study of architectures, in small: the file, agreement, the search and the command's parts."""

from pathlib import Path

import numpy as np
import pytest

from experiments.architectures import experiment as module
from experiments.architectures.agreement import agreement
from experiments.architectures.experiment import ScoreRow, experiment
from experiments.architectures.figure import (
    agreement_table,
    reproduction_text,
    scatter_figure,
    search_table,
)
from experiments.architectures.options import Options
from experiments.architectures.published import SAMPLE, Published, read_published, some_of
from experiments.architectures.scores import all_scores
from experiments.architectures.search import evolve, random_search, remembered
from synflow_jax.models import cell_choices, cell_string

PUBLISHED = read_published(SAMPLE)


def test_rows_resume_and_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 4)
    few = [*some_of(PUBLISHED, 5), next(row for row in PUBLISHED if row.synflow == 0)]
    options = Options(seeds=1, chunk=4)
    rows = experiment(options, few, tmp_path)
    assert rows == experiment(options, few, tmp_path)
    assert len(list((tmp_path / "cells").iterdir())) == 2
    scores = all_scores(rows, few)
    assert np.isneginf(scores["synflow"][-1])
    assert "same for 6 of 6" in reproduction_text(scores, few)
    accuracies = np.array([row.accuracy for row in few])
    assert "params" in agreement_table(scores, accuracies)
    assert len(scatter_figure(scores, accuracies).axes) == 3


def test_means_over_seeds_stand_beside_one() -> None:
    rows = [ScoreRow("snip", seed, index, seed + index) for seed in (0, 1) for index in range(500)]
    scores = all_scores(rows, PUBLISHED)
    assert scores["snip"][3] == 3
    assert scores["snip, 2 seeds"][3] == 3.5


def test_agreement_counts_the_best() -> None:
    accuracies = np.arange(1000.0)
    assert agreement(accuracies, accuracies) == (1, 1, 1, 1, 10)
    assert agreement(-accuracies, accuracies) == (-1, -1, -1, -1, 0)
    assert agreement(np.zeros(1000), accuracies)[:4] == (0, 0, 0, 0)


def test_evolution_beats_random_search_where_it_is_easy() -> None:
    calls = []

    def score(cells: np.ndarray) -> np.ndarray:
        calls.append(len({tuple(cell) for cell in cells.tolist()}) == len(cells))
        return cells.sum(1).astype(float)

    fitness = remembered(score)
    evolved, found = (search(fitness, 20, 0) for search in (evolve, random_search))
    assert evolved.sum(1).mean() > found.sum(1).mean() + 1
    assert np.array_equal(evolved, evolve(fitness, 20, 0))
    assert all(calls)


def test_search_table_takes_all_cells() -> None:
    cells = [cell_string(choice) for choice in cell_choices()]
    rows = [Published(cell, index / 200, 1, 1, 1, 1) for index, cell in enumerate(cells)]
    text = search_table({"params": np.arange(len(cells), dtype=float)}, rows, runs=2, seed=0)
    assert "evolution by params" in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cell,accuracy\n|none~0|,1\n", "columns params"),
        ("", "columns cell"),
        ("cell,accuracy,params,synflow,logsynflow,naswot\nno,1,2,3,4,5\n", "line 2.*3 nodes"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "file.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=says):
        read_published(path)
    with pytest.raises(ValueError, match="can't read"):
        read_published(tmp_path / "none.csv")


def test_full_needs_a_file() -> None:
    with pytest.raises(ValueError, match="--data-file"):
        Options(full=True)
