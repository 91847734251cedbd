"""The options of figure 7."""

from dataclasses import dataclass
from typing import Literal, get_args

import synflow_jax as sf
from experiments.fig7.published import PAPER_FILE
from experiments.runs.options import check_distinct
from experiments.untrained.options import SubjectOptions, check_paper_data, standard_subject
from experiments.untrained.subject import VGG19_IMAGENET

Schedule = Literal["linear", "exponential"]
SCHEDULES = {"linear": sf.linear, "exponential": sf.exponential}


@dataclass(frozen=True)
class Options(SubjectOptions):
    """Prune an untrained network by SynFlow in few and in many rounds and draw how large the
    largest cut was. Nothing is trained.
    """

    full: bool = False
    """The paper's network: VGG-19 for images of 224x224x3 and 1,000 classes. About 10 seconds a
    round on 2 CPU cores."""
    schedules: tuple[Schedule, ...] = get_args(Schedule)
    """How the density falls from round to round."""
    log10_compressions: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
    """log10 of each compression (weights before / weights after)."""
    rounds: tuple[int, ...] = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
    """Numbers of rounds to compare."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_paper_data(self, PAPER_FILE)
        check_distinct(self, "schedules", "log10_compressions", "rounds")
        if not all(0 < power <= 9 for power in self.log10_compressions):
            listed = " ".join(map(str, self.log10_compressions))
            raise ValueError(f"--log10-compressions must be above 0 and at most 9, got {listed}")
        if min(self.rounds) < 1:
            raise ValueError(f"--rounds must be >= 1, got {min(self.rounds)}")
        subject = standard_subject(self)
        if self.paper_data is not None and subject != VGG19_IMAGENET:
            raise ValueError("--paper-data is for --full, whose ratios were published")
