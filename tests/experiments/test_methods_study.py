"""The table of methods, and the study that compares them, in small."""

import math
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from networks import SIZES, dense_apply, dense_batch, dense_params

import synflow_jax as sf
from experiments.method_table import (
    ALL_METHODS,
    PAPER_METHODS,
    interleaved,
    pruning_of,
    score_fns,
)
from experiments.methods.__main__ import main
from experiments.methods.experiment import MethodRow, TimeRow
from experiments.methods.ways import LOOKS, PHEW, WAYS
from experiments.runs.rows import read_rows
from experiments.untrained.rounds import prune_by_rounds

pytestmark = pytest.mark.usefixtures("others_promote")
QUICK = ("--log10-compressions", "1", "--rounds", "2", "--epochs", "1")


@pytest.mark.parametrize("name", ["force", "random-erk"])
def test_rounds_one_by_one_are_those_of_prune(name: str) -> None:
    params, batch, key = dense_params(), dense_batch(), jax.random.key(0)
    score_fn, options = score_fns(dense_apply, SIZES[:1])[name], pruning_of(name, 3)
    expected, history = sf.prune(score_fn, params, 3.0, batch=batch, key=key, **options)
    *_, last = prune_by_rounds(score_fn, params, 3.0, batch=batch, key=key, **options)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool(jnp.all(a == b)), expected, last.mask))
    assert int(history.kept[-1]) == int(last.kept.sum())


def test_each_part_of_a_batch_has_every_class() -> None:
    labels = jnp.repeat(jnp.arange(10), 10)  # class by class, as images are drawn
    parts = interleaved(labels, 4)
    assert all(len(set(part.tolist())) == 10 for part in parts)
    assert sorted(parts.ravel().tolist()) == labels.tolist()


def test_the_papers_methods_come_first_and_each_has_its_own_look() -> None:
    assert ALL_METHODS[: len(PAPER_METHODS)] == PAPER_METHODS
    for looks in zip(*LOOKS.values(), strict=True):
        assert len(set(looks)) == len(WAYS)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    methods = ("random-erk", PHEW)
    main(["--methods", *methods, *QUICK, "--results", str(tmp_path), "--run", "test"])
    folder = tmp_path / "methods" / "test"
    assert (folder / "methods.png").read_bytes().startswith(b"\x89PNG")
    rows = read_rows(folder / "rows.csv", MethodRow)
    assert [(row.kind, row.method) for row in rows] == [
        (kind, method) for kind in ("pruned", "shuffled") for method in methods
    ]
    size = rows[0].weights
    assert {row.kept for row in rows} == {size - math.floor(0.9 * size)}
    assert all(row.accuracy > 0.1 for row in rows)
    seconds = read_rows(folder / "times" / "rows.csv", TimeRow)
    assert [(row.method, row.rounds) for row in seconds] == [(method, 1) for method in methods]
    assert f"{100 * rows[0].accuracy:.1f} / {100 * rows[2].accuracy:.1f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (["--methods", "prune"], "prune"),
        (["--log10-compressions", "10"], "--log10-compressions must be from 0 to 9"),
        (["--rounds", "0"], "--rounds must be >= 1"),
    ],
)
def test_bad_option(bad: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(bad)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert word in error
