"""The options of the lottery-ticket experiment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from experiments.options import check_distinct, check_range
from experiments.runs import check_run_name

NetworkName = Literal["lenet-300-100", "small-conv"]
Kind = Literal["iterative", "one-shot", "reinitialized", "random mask"]


class Plan(NamedTuple):
    """What a network is trained on, and how: by Adam at a constant rate, as in the paper."""

    model: str
    data: str
    learning_rate: float
    epochs: int
    batch_size: int


SMALL = {
    "lenet-300-100": Plan("lenet-300-100", "digits", 1.2e-3, 40, 60),
    "small-conv": Plan("small-conv", "digits", 3e-3, 20, 60),
}
# 50,000 and 20,000 steps are 55 and 27 epochs of the images that aren't for validation.
FULL = {
    "lenet-300-100": Plan("lenet-300-100", "mnist", 1.2e-3, 55, 60),
    "small-conv": Plan("conv-2", "cifar10", 2e-4, 27, 60),
}


@dataclass(frozen=True)
class Options:
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
    seed: int = 0
    """Start of all random numbers."""
    full: bool = False
    """The size of the paper, on data that must have been prepared."""
    epochs: int | None = None
    """Epochs of each training, by default 40 and 20, with --full 55 and 27."""
    data_dir: Path | None = None
    """Where data sets were prepared."""
    workers: int = 2
    """Networks trained at a time; the results don't depend on it."""
    results: Path = Path("results")
    """Folder for results: they go to lottery/RUN in it."""
    run: str | None = None
    """Name of this run, by default made from the options. A run that was stopped goes on where it
    was."""

    def __post_init__(self) -> None:
        check_distinct(self, "networks")
        check_distinct(self, "kinds")
        check_range(self, "log10_compression", 0, 9)
        check_range(self, "seed", 0, 2**32 - 1)
        if self.validation is not None:
            check_range(self, "validation", 0.01, 0.9)
        for name in ("levels", "seeds", "epochs", "workers"):
            if getattr(self, name) is not None:
                check_range(self, name, 1)
        shortest = min(plan_of(self, name).epochs for name in self.networks)
        check_range(self, "rewind_epoch", 0, shortest - 1)
        check_run_name(self)


def levels_of(options: Options) -> int:
    """Levels of iterative pruning."""
    return options.levels or (20 if options.full else 5)


def plan_of(options: Options, network: str) -> Plan:
    """The network's plan with what the options put in its place."""
    plan = (FULL if options.full else SMALL)[network]
    return plan if options.epochs is None else plan._replace(epochs=options.epochs)


def validation_images(options: Options, images: int) -> int:
    """How many of the training images are for validation."""
    if options.validation is None and options.full:
        return 5000
    return round((options.validation or 0.2) * images)
