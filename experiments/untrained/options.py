"""The options of studies of an untrained network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.data import SmallName
from experiments.method_table import MethodName
from experiments.runs.options import RunOptions, check_counts, check_distinct
from experiments.untrained.subject import SMALL, VGG19_IMAGENET, Subject, subject_of


@dataclass(frozen=True)
class SubjectOptions(RunOptions):
    """Which network."""

    full: bool = False
    """The paper's network: VGG-19 for images of 224x224x3 and 1,000 classes."""
    model: str | None = None
    """A name of synflow_jax.models, or small-vgg, the default."""
    input_shape: tuple[int, int, int] | None = None
    """Height, width and channels of an image."""
    classes: int | None = None
    """Logits of the network."""
    paper_data: Path | None = None
    """Folder with the published numbers, to be drawn and compared with."""


@dataclass(frozen=True)
class ScoreOptions(SubjectOptions):
    """Which network, methods, and images to score with."""

    methods: tuple[MethodName, ...] | None = None
    """Methods to compare, by default those of Tanaka et al. 2020 for which there are data."""
    data: SmallName | None = None
    """What methods score with, by default the digits where they fit the network."""
    data_dir: Path | None = None
    """Where data sets were prepared."""
    scoring_images: int = 10
    """Training images of each class that methods score with."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_distinct(self, "methods")
        check_counts(self, "scoring_images")


def standard_subject(options: SubjectOptions) -> Subject:
    """The network that the options name."""
    return subject_of(options, VGG19_IMAGENET if options.full else SMALL)


def check_paper_data(options: Any, name: str) -> None:
    """Raises ValueError if ``--paper-data`` is given and has no file of that name."""
    if options.paper_data is not None and not (Path(options.paper_data) / name).is_file():
        raise ValueError(f"--paper-data: there is no {name} in {options.paper_data}")
