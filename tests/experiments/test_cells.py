"""Grids of cells and runs: what is kept, what is skipped, and what is refused."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from experiments.runs.cells import once, run_cells
from experiments.runs.folders import open_run, write_atomically
from experiments.runs.options import RunOptions
from experiments.runs.rows import read_rows, rows_csv


class Square(NamedTuple):
    name: str
    number: int
    square: float


def cells(log: Path, *, killed_at: int | None = None) -> dict[str, Callable[[], list[Square]]]:
    """Five cells that note that they were computed; one may end its process."""

    def compute(number: int) -> list[Square]:
        if number == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        with log.open("a") as file:
            file.write(f"{number} ")
        return [Square(f"n{number}", number, number**2 / 3)]

    return {f"cell-{n}": lambda n=n: compute(n) for n in range(5)}


def main(folder: Path) -> None:
    run_cells(folder, cells(folder / "log", killed_at=3), Square)


def test_a_killed_grid_computes_only_what_is_missing(tmp_path: Path) -> None:
    process = subprocess.run([sys.executable, __file__, str(tmp_path)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / "log").read_text() == "0 1 2 "
    rows = run_cells(tmp_path, cells(tmp_path / "log"), Square)
    assert (tmp_path / "log").read_text() == "0 1 2 3 4 "
    assert rows == [Square(f"n{n}", n, n**2 / 3) for n in range(5)]
    assert read_rows(tmp_path / "rows.csv", Square) == rows


def test_workers_change_nothing(tmp_path: Path) -> None:
    one, three = (
        run_cells(tmp_path / str(n), cells(tmp_path / f"log{n}"), Square, workers=n) for n in (1, 3)
    )
    assert one == three


def test_an_error_keeps_what_was_done(tmp_path: Path) -> None:
    def fails() -> list[Square]:
        raise ArithmeticError("no number")

    grid = {**cells(tmp_path / "log"), "cell-2": fails}
    with pytest.raises(ArithmeticError, match="no number"):
        run_cells(tmp_path, grid, Square)
    assert not (tmp_path / "cells" / "cell-2.csv").exists()
    assert (tmp_path / "cells" / "cell-1.csv").exists()


def test_once_computes_for_all_threads() -> None:
    calls: list[int] = []
    value = once(lambda: calls.append(1) or len(calls))
    threads = [threading.Thread(target=value) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (value(), calls) == (1, [1])


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(rows_csv([Square("a", 1, 1.0)], Square).replace("square", "cube"))
    with pytest.raises(ValueError, match=r"rows\.csv has the columns"):
        read_rows(path, Square)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("before")

    def full_disk(path: Path) -> None:
        path.write_text("half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        write_atomically(path, full_disk)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("file.txt", "before")]


@dataclass(frozen=True)
class Options(RunOptions):
    rate: float = 0.1
    workers: int = 1


def test_a_run_of_other_options_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = open_run("squares", Options(results=tmp_path, run="a"))
    assert folder == tmp_path / "squares" / "a"
    assert open_run("squares", Options(results=tmp_path, run="a")) == folder
    with pytest.raises(SystemExit):
        open_run("squares", Options(results=tmp_path, run="a", rate=0.2))
    assert "other options (rate)" in capsys.readouterr().err
    named = [
        open_run("squares", options, free=("workers",))
        for options in (
            Options(results=tmp_path),
            Options(results=tmp_path, workers=2),
            Options(results=tmp_path, rate=0.2),
        )
    ]
    assert named[0] == named[1] != named[2]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
