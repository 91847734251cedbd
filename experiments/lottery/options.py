"""The options of the lottery-ticket experiment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from experiments.runs.options import RunOptions, check_counts, check_distinct, check_range
from experiments.training.recipes import (
    CONV_CIFAR,
    CONV_DIGITS,
    LENET_DIGITS,
    LENET_MNIST,
    Recipe,
    overridden,
)

NetworkName = Literal["lenet-300-100", "small-conv"]
Kind = Literal["iterative", "one-shot", "reinitialized", "random mask"]


class Plan(NamedTuple):
    """What a network is trained on, and how."""

    model: str
    data: str
    recipe: Recipe


SMALL = {
    "lenet-300-100": Plan("lenet-300-100", "digits", LENET_DIGITS),
    "small-conv": Plan("small-conv", "digits", CONV_DIGITS),
}
FULL = {
    "lenet-300-100": Plan("lenet-300-100", "mnist", LENET_MNIST),
    "small-conv": Plan("conv-2", "cifar10", CONV_CIFAR),
}


@dataclass(frozen=True)
class Options(RunOptions):
    """Lottery tickets (Frankle and Carbin 2019): dense networks are trained, pruned by magnitude
    at once or in levels, rewound and trained again, against the same masks with new weights and
    random masks of as many weights.

    Reports test accuracy, the step of the lowest validation loss, and how far weights inside and
    outside the ticket move in the dense network's training. By default on handwritten digits;
    nothing is downloaded.
    """

    networks: tuple[NetworkName, ...] = ("lenet-300-100", "small-conv")
    """Networks. With --full, LeNet-300-100 on MNIST, and Conv-2 on CIFAR-10 for small-conv."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    """What to compare."""
    log10_compression: float = 2.0
    """log10 of the last level's compression (weights before / weights after)."""
    levels: int | None = None
    """Levels of iterative pruning; each also gives a one-shot mask, a reinitialized network and a
    random mask of its compression. By default 5, with --full 20."""
    rewind_epoch: int = 0
    """Epochs of the dense training after which weights are stored to rewind to: 0 for the
    initialization. A training from there goes on with the epochs that are left."""
    validation: float | None = None
    """Fraction of the training images that's kept for validation, by default 0.2, with
    --full 5,000 images in all as in the paper."""
    seeds: int = 1
    """Runs of each, with their own initialization and order of the data."""
    full: bool = False
    """The size of the paper, on data that must have been prepared."""
    epochs: int | None = None
    """Epochs of each training, by default 40 and 20, with --full 55 and 27."""
    data_dir: Path | None = None
    """Where data sets were prepared."""
    workers: int = 2
    """Networks trained at a time; the results don't depend on it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_distinct(self, "networks", "kinds")
        check_range(self, "log10_compression", 0, 9)
        check_range(self, "validation", 0.01, 0.9)
        check_counts(self, "levels", "seeds", "epochs", "workers")
        shortest = min(plan_of(self, name).recipe.epochs for name in self.networks)
        check_range(self, "rewind_epoch", 0, shortest - 1)


def levels_of(options: Options) -> int:
    """Levels of iterative pruning."""
    return options.levels or (20 if options.full else 5)


def plan_of(options: Options, network: str) -> Plan:
    """The network's plan with what the options put in its place."""
    plan = (FULL if options.full else SMALL)[network]
    return plan._replace(recipe=overridden(plan.recipe, options))


def validation_images(options: Options, images: int) -> int:
    """How many of the training images are for validation."""
    if options.validation is None and options.full:
        return 5000
    return round((options.validation or 0.2) * images)
