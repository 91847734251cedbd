"""The options of the study of transformers."""

from dataclasses import dataclass
from typing import Literal

from experiments.runs.options import RunOptions, check_counts, check_distinct, check_powers
from experiments.training import Recipe, overridden
from experiments.training.recipes import TOKENS
from experiments.transformers.ways import ALL_WAYS, WayName

Network = Literal["small-vit", "small-vit-0.02", "small-mixer"]


@dataclass(frozen=True)
class Options(RunOptions):
    """Prune a small vision transformer and a small MLP-Mixer at initialization, train what is left
    on handwritten digits, and draw test accuracy and collapsed kernels against compression.
    Nothing is downloaded.
    """

    networks: tuple[Network, ...] = ("small-vit", "small-mixer")
    """Networks; small-vit-0.02 begins as small as published ones do, and learns slowly."""
    ways: tuple[WayName, ...] = ALL_WAYS
    """Ways to prune. Naive is SynFlow of the network with the mean over tokens in place of
    attention; it's for networks with attention."""
    log10_compressions: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0)
    """log10 of each compression (weights before / weights after)."""
    seeds: int = 2
    """Runs of each; each has its own initialization, scoring batch, random scores and order of the
    data."""
    rounds: int = 100
    """Rounds of SynFlow and of iterative SNIP."""
    epochs: int | None = None
    """Passes over the training images, by default 8."""
    workers: int = 2
    """Networks trained at a time; the results don't depend on it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_distinct(self, "networks", "ways")
        check_powers(self)
        check_counts(self, "seeds", "rounds", "epochs", "workers")


def recipe_of(options: Options) -> Recipe:
    """The recipe with what the options put in its place."""
    return overridden(TOKENS, options)
