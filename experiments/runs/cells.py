"""A grid of cells that are computed one by one, kept on disk, and skipped when they are there."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TypeVar

from tqdm import tqdm

from experiments.runs.folders import write_atomically
from experiments.runs.rows import Row, read_rows, rows_csv

T = TypeVar("T")


def run_cells(
    folder: Path,
    cells: Mapping[str, Callable[[], Sequence[Row]]],
    row_type: type[Row],
    *,
    workers: int = 1,
) -> list[Row]:
    """The rows of all cells, in their order; a progress bar says how many are done.

    A cell's rows are written to ``folder/cells/NAME.csv``, whole, as soon as it's computed; a cell
    that is there is read instead. So what was killed and started again loses only the cells it was
    at. All rows then go to ``folder/rows.csv``.

    Args:
        folder: of the run.
        cells: by name, a function that computes the rows of each.
        row_type: the NamedTuple that rows are.
        workers: cells computed at a time, in threads; the results don't depend on it.
    """
    store = folder / "cells"
    store.mkdir(parents=True, exist_ok=True)
    paths = {name: store / f"{name}.csv" for name in cells}
    missing = [name for name, path in paths.items() if not path.exists()]

    def compute(name: str) -> None:
        text = rows_csv(cells[name](), row_type)
        write_atomically(paths[name], lambda path: path.write_text(text))
        bar.update()

    pool = ThreadPoolExecutor(workers)
    done = len(cells) - len(missing)
    with tqdm(total=len(cells), initial=done, unit="cell", dynamic_ncols=True) as bar:
        try:
            # The first alone, or each thread compiles the same.
            for names in (missing[:1], missing[1:]):
                for _ in pool.map(compute, names):
                    pass
        finally:
            pool.shutdown(cancel_futures=True)
    rows = [row for path in paths.values() for row in read_rows(path, row_type)]
    text = rows_csv(rows, row_type)
    write_atomically(folder / "rows.csv", lambda path: path.write_text(text))
    return rows


def once(fn: Callable[[], T]) -> Callable[[], T]:
    """``fn``, computed when it's first called, by one thread while others wait for it."""
    lock, results = Lock(), []

    def call() -> T:
        with lock:
            if not results:
                results.append(fn())
        return results[0]

    return call
