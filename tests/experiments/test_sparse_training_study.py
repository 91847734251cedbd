"""The study of sparse training, in small."""

import math
from pathlib import Path

import pytest

from experiments.runs.rows import read_rows
from experiments.sparse_training.__main__ import main
from experiments.sparse_training.experiment import EpochRow
from experiments.sparse_training.ways import WAYS

pytestmark = pytest.mark.usefixtures("others_promote")
QUICK = ("--compressions", "10", "--seeds", "1", "--epochs", "4", "--synflow-rounds", "3")


def test_command(tmp_path: Path) -> None:
    ways = ("static-synflow", "rigl", "gradual-flow", "straight-through")
    main(["--ways", *ways, *QUICK, "--results", str(tmp_path), "--run", "test"])
    folder = tmp_path / "sparse_training" / "test"
    assert (folder / "sparse_training.png").read_bytes().startswith(b"\x89PNG")
    rows = read_rows(folder / "rows.csv", EpochRow)
    assert len(rows) == len(ways) * 5
    size = 64 * 300 + 300 * 100 + 100 * 10
    kept = size - math.floor(0.9 * size)
    of = {way: [row for row in rows if row.way == way] for way in ways}
    assert {row.weights for row in rows} == {size}
    for way in ("static-synflow", "straight-through"):
        assert {row.kept for row in of[way]} == {kept}
    assert len({row.kept for row in of["rigl"]}) == 1
    assert [row.new for row in of["static-synflow"]] == [0] * 5
    assert of["static-synflow"][-1].ever == kept
    assert of["rigl"][-1].ever > of["rigl"][-1].kept > of["rigl"][0].last
    gradual = [row.kept for row in of["gradual-flow"]]
    assert gradual[0] == size > gradual[2] > gradual[3] == gradual[4] == kept
    assert all(row.last == kept for row in of["gradual-flow"])
    assert all(found[-1].accuracy > 0.5 for found in of.values())


def test_every_way_has_its_own_look() -> None:
    styles = [way.style for way in WAYS.values()]
    assert len({style.label for style in styles}) == len({style.color for style in styles})
    assert len({style.marker for style in styles}) == len(styles)


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (["--compressions", "1"], "--compressions must be above 1"),
        (["--ways", "prune"], "prune"),
        (["--fraction", "1.5"], "--fraction must be from 0 to 1"),
        (["--epochs", "1"], "--epochs must be >= 2"),
    ],
)
def test_bad_option(bad: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(bad)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert word in error
