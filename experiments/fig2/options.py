"""The options of figure 2."""

from dataclasses import dataclass
from typing import NamedTuple

from experiments.fig2.published import PAPER_FILE
from experiments.runs.options import check_counts, check_distinct
from experiments.untrained.options import ScoreOptions, check_paper_data
from experiments.untrained.subject import (
    SMALL,
    VGG16_CIFAR100,
    VGG19_IMAGENET,
    Subject,
    subject_of,
)


class Standard(NamedTuple):
    """What is pruned how far unless the options say otherwise."""

    subject: Subject
    compressions: tuple[float, ...]


STANDARD_SMALL = Standard(SMALL, tuple(2.0**power for power in range(15)))
STANDARD_FULL = Standard(VGG19_IMAGENET, tuple(2.0**power for power in range(25)))
# The compressions of the published table.
STANDARD_VGG16 = Standard(VGG16_CIFAR100, tuple(10 ** (power / 4) for power in range(25)))


@dataclass(frozen=True)
class Options(ScoreOptions):
    """Prune an untrained network by several methods and draw what each of its layers keeps against
    compression. Nothing is trained.
    """

    full: bool = False
    """The paper's size: VGG-19 for images of 224x224x3 and 1,000 classes, compressions up to
    2^24. Hours on a CPU."""
    vgg16_cifar100: bool = False
    """VGG-16 with BatchNorm for CIFAR-100, compressions up to 10^6, as in the published table."""
    compressions: tuple[float, ...] | None = None
    """Compressions: weights before / weights after."""
    rounds: int = 100
    """Rounds, on an exponential schedule, of SynFlow and other methods that take more than one."""
    seeds: int = 1
    """Runs of each method and compression, each with its own initialization."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.full and self.vgg16_cifar100:
            raise ValueError("--full and --vgg16-cifar100 are two sizes; give one of them")
        if self.paper_data is not None and not self.vgg16_cifar100:
            raise ValueError("--paper-data is for --vgg16-cifar100, whose table was published")
        check_paper_data(self, PAPER_FILE)
        check_distinct(self, "compressions")
        if self.compressions is not None and not all(1 <= x <= 1e9 for x in self.compressions):
            listed = " ".join(map(str, self.compressions))
            raise ValueError(f"--compressions must be from 1 to 1e9, got {listed}")
        check_counts(self, "rounds", "seeds")
        subject_of(self, standard_of(self).subject)


def standard_of(options: Options) -> Standard:
    """The size that the options name."""
    if options.vgg16_cifar100:
        return STANDARD_VGG16
    return STANDARD_FULL if options.full else STANDARD_SMALL
