"""The options of the study of sparse training."""

from dataclasses import dataclass

from experiments.runs.options import RunOptions, check_counts, check_distinct, check_range
from experiments.sparse_training.ways import ALL_WAYS, WayName
from experiments.training import Recipe, overridden
from experiments.training.recipes import LENET_DIGITS


@dataclass(frozen=True)
class Options(RunOptions):
    """Train LeNet-300-100 on handwritten digits under masks that stay and masks that change, and
    draw test accuracy, how much of the last mask was there when, and how many weights ever took
    part. Nothing is downloaded.
    """

    ways: tuple[WayName, ...] = ALL_WAYS
    """What to compare."""
    compressions: tuple[float, ...] = (10.0, 30.0, 100.0)
    """Weights before / weights after."""
    seeds: int = 3
    """Runs of each, with their own initialization, random masks and order of the data."""
    synflow_rounds: int = 100
    """Rounds of SynFlow, for masks at initialization."""
    fraction: float = 0.3
    """Of a layer's weights, how many are exchanged at first when rewiring."""
    strength: float = 1e-5
    """Of the penalty on lost flow."""
    epochs: int = 20
    """Passes over the training images."""
    workers: int = 2
    """Networks trained at a time; the results don't depend on it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_distinct(self, "ways", "compressions")
        if not all(1 < compression <= 1e4 for compression in self.compressions):
            listed = " ".join(f"{compression:g}" for compression in self.compressions)
            raise ValueError(f"--compressions must be above 1 and at most 10000, got {listed}")
        check_counts(self, "seeds", "synflow_rounds", "workers")
        # In fewer there is no room for the changes.
        check_range(self, "epochs", 2)
        check_range(self, "fraction", 0, 1)
        check_range(self, "strength", 0, 1)


def recipe_of(options: Options) -> Recipe:
    """The recipe with what the options put in its place."""
    return overridden(LENET_DIGITS, options)
