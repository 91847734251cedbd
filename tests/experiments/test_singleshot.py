"""The main experiment in small, through its command line."""

import csv
import json
from pathlib import Path

import pytest

from experiments.reporting.results import Row
from experiments.singleshot.__main__ import main

# Compiled without optimizations, `x == x.max()` may compare what was rounded in two ways, so
# that the gradient of a max pooling by reshaping is lost.
pytestmark = [pytest.mark.usefixtures("others_promote"), pytest.mark.optimized]

SMALL = [
    *("--methods", "synflow", "magnitude"),
    *("--log10-compressions", "0", "2"),
    *("--seeds", "1"),
    *("--epochs", "1"),
    *("--synflow-rounds", "20"),
    # At the recipe's learning rate of 0.1 what float32 rounds grows a hundred million times in an
    # epoch. In float64 test_training_compact holds the same steps to 1e-9.
    *("--learning-rate", "0.003"),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one run, for all tests."""
    folder = tmp_path_factory.mktemp("results")
    main([*SMALL, "--results", str(folder), "--run", "first"])
    return folder


def test_rows_configuration_and_figure(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # The last of the options count: one of the four networks, to the same numbers.
    one = ["--methods", "synflow", "--log10-compressions", "2"]
    main([*SMALL, *one, "--results", str(results), "--run", "again"])
    runs = []
    for run in ("first", "again"):
        folder = results / "singleshot" / run
        assert (folder / "singleshot.png").read_bytes().startswith(b"\x89PNG")
        assert json.loads((folder / "config.json").read_text())["options"]["epochs"] == 1
        runs.append(list(csv.DictReader((folder / "rows.csv").read_text().splitlines())))
    rows, again = runs
    assert again == [row for row in rows if row["method"] == "synflow"][1:]
    assert [row["method"] for row in rows] == ["synflow"] * 2 + ["magnitude"] * 2
    for row in rows:
        weights = int(row["weights"])
        kept = weights if row["log10_compression"] == "0.0" else -(-weights // 100)
        assert abs(int(row["kept"]) - kept) <= 1
        assert 0.05 <= float(row["accuracy"]) <= 1
    assert {row["collapsed"] for row in rows if row["method"] == "synflow"} == {"0"}
    assert "synflow" in capsys.readouterr().out


@pytest.mark.slow
def test_compact_trains_the_same_small(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*SMALL, "--compact", "--results", str(results), "--run", "compact"])
    tables = []
    for run in ("first", "compact"):
        text = (results / "singleshot" / run / "rows.csv").read_text()
        tables.append(list(csv.DictReader(text.splitlines())))
    assert "small network" in capsys.readouterr().out
    assert tuple(tables[0][0]) == Row._fields
    for before, after in zip(*tables, strict=True):
        for name in ("method", "seed", "log10_compression", "weights", "kept", "collapsed"):
            assert before[name] == after[name]
        assert float(after["loss"]) == pytest.approx(float(before["loss"]), rel=1e-4)
        assert float(after["accuracy"]) == pytest.approx(float(before["accuracy"]), abs=0.01)
        # Magnitude leaves no path at a compression of 100: there's nothing to make small.
        small = before["method"] == "synflow" and before["log10_compression"] == "2.0"
        assert (int(after["left"]) < int(after["weights"]) / 10) == small
        assert int(after["left"]) >= int(after["kept"])
        assert all(float(after[f"{name}_seconds"]) > 0 for name in ("pruning", "training"))


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (["--epochs", "-1"], "--epochs must be >= 1, got -1"),
        (["--methods", "obd"], "obd"),
        (["--log10-compressions", "-1"], "--log10-compressions"),
        (["--seeds", "many"], "many"),
        (["--momentum", "nan"], "--momentum"),
        (["--batch-size", "100000"], "--batch-size"),
        (["--run", "../up"], "--run"),
    ],
)
def test_bad_option_is_answered_in_one_line(
    bad: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(bad)
    assert caught.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 1
    assert word in output.err


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert not caught.value.code
    text = capsys.readouterr().out
    for option in ("--methods", "--log10-compressions", "--learning-rate", "--results"):
        assert option in text
    assert "weights before" in text
