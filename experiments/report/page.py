"""The page: what is read of each run, and how it's put together."""

import csv
import io
import json
import os
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import jinja2

FIGURE_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
"""Suffixes of figures and their media types; the first that a figure has is shown."""


class Link(NamedTuple):
    """A file: its name and where a page finds it."""

    name: str
    address: str


class Table(NamedTuple):
    """A CSV file: name, columns, all rows as text, and the whole file as a data URL."""

    name: str
    columns: list[str]
    rows: list[list[str]]
    address: str


class Run(NamedTuple):
    """All that the page says of one run. Figures have data URLs; files are relative links."""

    experiment: str
    name: str
    options: dict[str, Any]
    versions: dict[str, str]
    device: dict[str, str]
    figures: list[Link]
    tables: list[Table]
    files: list[Link]


def read_run(folder: Path, base: Path) -> Run:
    """The run in a folder; links to its files are relative to the folder ``base``.

    Raises:
        ValueError: the folder isn't that of a run, or nothing is finished in it yet.
    """
    config = _config(folder)
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")
    tables = [_table(path) for path in files if path.suffix == ".csv"]
    figures = [_embedded(path, FIGURE_TYPES[path.suffix]) for path in _figures(files)]
    if not tables and not figures:
        raise ValueError(f"{folder} has neither a table nor a figure; let the run finish")
    return Run(
        experiment=config["experiment"],
        name=folder.resolve().name,
        options=config["options"],
        versions=config["versions"],
        device=config["device"],
        figures=figures,
        tables=tables,
        files=[Link(path.name, quote(os.path.relpath(path, base))) for path in files],
    )


def page(runs: Sequence[Run], *, title: str, shown: int) -> str:
    """The page as text, with ``shown`` rows of each table; everything in it is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "is_number": is_number, "listed": _listed}
    return environment.get_template("report.html").render(runs=runs, title=title, shown=shown)


def is_number(text: str) -> bool:
    """Whether a cell of a table is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def number(text: str) -> str:
    """A cell of a table for reading: six digits are enough.

    >>> number("106768"), number("0.9972222447395325"), number("synflow")
    ('106,768', '0.997222', 'synflow')
    """
    if not is_number(text):
        return text
    return f"{int(text):,}" if text.strip("+-").isdecimal() else f"{float(text):.6g}"


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(f"{folder} is no run: it has no config.json")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{folder} is no run: its config.json isn't JSON ({error})") from None
    parts = {"experiment": str, "options": dict, "versions": dict, "device": dict}
    for name, kind in parts.items():
        if not isinstance(config, dict) or not isinstance(config.get(name), kind):
            raise ValueError(f"{folder} is no run: its config.json has no '{name}'")
    return config


def _table(path: Path) -> Table:
    columns, *rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8")))) or [[]]
    if any(len(row) != len(columns) for row in rows):
        raise ValueError(f"{path} has rows of other lengths than its header")
    return Table(path.name, columns, rows, _embedded(path, "text/csv;charset=utf-8").address)


def _figures(files: Sequence[Path]) -> list[Path]:
    """Each figure once, in the first type it has."""
    found = {}
    for suffix in FIGURE_TYPES:
        for path in files:
            if path.suffix == suffix:
                found.setdefault(path.stem, path)
    return [found[stem] for stem in sorted(found)]


def _embedded(path: Path, media_type: str) -> Link:
    return Link(path.stem, f"data:{media_type};base64,{b64encode(path.read_bytes()).decode()}")


def _listed(value: Any) -> str:
    """An option's value for reading."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)
