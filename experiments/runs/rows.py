"""Tables of results: rows of one NamedTuple as CSV, read back with their types."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

Row = TypeVar("Row", bound=Any)


def rows_csv(rows: Sequence[Row], row_type: type[Row]) -> str:
    """The rows as CSV with a header; floats with all their digits."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([row_type._fields, *rows])
    return text.getvalue()


def read_rows(path: Path, row_type: type[Row]) -> list[Row]:
    """The rows of a file that `rows_csv` made, or none if it isn't there.

    Args:
        path: the file.
        row_type: a NamedTuple whose fields are int, float or str.

    Raises:
        ValueError: the file has other columns.
    """
    if not path.exists():
        return []
    header, *lines = csv.reader(path.read_text().splitlines())
    if tuple(header) != row_type._fields:
        raise ValueError(f"{path} has the columns {header}, not {list(row_type._fields)}")
    types: list[Any] = list(row_type.__annotations__.values())
    make: Any = row_type._make
    return [make(t(x) for t, x in zip(types, line, strict=True)) for line in lines]
