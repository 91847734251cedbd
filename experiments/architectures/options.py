"""The options of the study of architectures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments.runs.options import RunOptions, check_counts, check_distinct

Asked = Literal["synflow", "logsynflow", "naswot", "gradient_norm", "snip", "grasp", "fisher"]


@dataclass(frozen=True)
class Options(RunOptions):
    """Score the untrained networks of NAS-Bench-201 and see how the scores order their published
    accuracies, beside the numbers of params and multiplications. By default 500 cells that come
    with this; nothing is trained or downloaded.
    """

    data_file: Path | None = None
    """A CSV file with the columns cell, accuracy, params, synflow, logsynflow and naswot, in place
    of the bundled sample."""
    full: bool = False
    """All cells of --data-file, and the evolutionary search; without it 500 of them."""
    scores: tuple[Asked, ...] = ("synflow",)
    """Scores to compute. synflow brings the flow and its depth. All but it and logsynflow take
    data."""
    seeds: int = 3
    """Initializations; their mean scores count too."""
    scoring_images: int = 16
    """Digits that scores take that need data."""
    scoring_size: int = 8
    """Height and width of those digits, a multiple of 8: each pixel as many times as high."""
    chunk: int = 25
    """Networks that are computed at a time, without gradients of kernels."""
    search_runs: int = 100
    """Runs of the evolutionary search."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_distinct(self, "scores")
        check_counts(self, "seeds", "scoring_images", "scoring_size", "chunk", "search_runs")
        if self.scoring_size % 8:
            raise ValueError(f"--scoring-size must be a multiple of 8, got {self.scoring_size}")
        if self.full and self.data_file is None:
            raise ValueError("--full needs a --data-file with all cells")
