"""The options of the single-shot experiment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from experiments.options import check_distinct, check_range
from experiments.runs import check_run_name

Method = Literal["synflow", "snip", "grasp", "magnitude", "random"]


@dataclass(frozen=True)
class Config:
    """Prune a small VGG at initialization by several methods, train what is left on handwritten
    digits, and draw test accuracy against compression. Nothing is downloaded.
    """

    methods: tuple[Method, ...] = get_args(Method)
    """Methods to compare."""
    log10_compressions: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
    """log10 of each compression (weights before / weights after): 2 keeps 1 weight in 100."""
    seeds: int = 3
    """Runs of each method and compression. Each has its own initialization, scoring batch, random
    scores and order of the data."""
    seed: int = 0
    """Start of all random numbers; the same seed gives the same results."""
    synflow_rounds: int = 100
    """Rounds of SynFlow, on an exponential schedule. The other methods take one."""
    scoring_images: int = 10
    """Training images of each class that SNIP and GraSP score with."""
    grasp_temperature: float = 200.0
    """GraSP divides the logits by it."""
    epochs: int = 8
    """Passes over the training images."""
    batch_size: int = 64
    """Images in a training step."""
    learning_rate: float = 0.1
    """Learning rate of the first step; it falls to 0 as a cosine does."""
    momentum: float = 0.9
    """Nesterov momentum."""
    weight_decay: float = 5e-4
    """Weight decay, added to the gradient."""
    workers: int = 2
    """Networks trained at a time; the results don't depend on it."""
    results: Path = Path("results")
    """Folder for results: they go to singleshot/RUN in it."""
    run: str | None = None
    """Name of this run, by default made from the options. A run that was stopped goes on where it
    was."""

    def __post_init__(self) -> None:
        check_distinct(self, "methods")
        check_distinct(self, "log10_compressions")
        if not all(0 <= power <= 9 for power in self.log10_compressions):
            listed = " ".join(map(str, self.log10_compressions))
            raise ValueError(f"--log10-compressions must be from 0 to 9, got {listed}")
        for name in (
            "seeds",
            "synflow_rounds",
            "scoring_images",
            "epochs",
            "batch_size",
            "workers",
        ):
            check_range(self, name, 1)
        for name in ("learning_rate", "grasp_temperature"):
            check_range(self, name, 1e-9)
        check_range(self, "seed", 0, 2**32 - 1)
        check_range(self, "momentum", 0, 1)
        check_range(self, "weight_decay", 0)
        check_run_name(self)
