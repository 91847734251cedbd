"""The options of the report."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from experiments.runs.options import check_counts


@dataclass(frozen=True)
class Options:
    """Gather finished runs into one HTML page that needs no other file and no network."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs, such as results/singleshot/RUN."""
    output: Path = Path("report.html")
    """The page to write."""
    title: str = "Pruning experiments"
    """Its title."""
    rows: int = 30
    """Rows shown of a table; the page holds all of them as a CSV file to save."""

    def __post_init__(self) -> None:
        if not self.runs or len(set(self.runs)) < len(self.runs):
            listed = ", ".join(map(str, self.runs))
            raise ValueError(f"pass folders of runs, each once, got {listed or 'none'}")
        check_counts(self, "rows")
