"""The options of figure 5b."""

from dataclasses import dataclass
from pathlib import Path

from experiments.runs.options import RunOptions, check_counts, check_range
from experiments.training.recipes import PLAIN, PRESETS, Recipe, overridden


@dataclass(frozen=True)
class Options(RunOptions):
    """Average squared weight of each layer against its inverse size, over a training (figure 5b of
    Tanaka et al. 2020).

    By default a plain convolutional network without BatchNorm on handwritten digits; nothing is
    downloaded.
    """

    epochs_shown: tuple[int, ...] | None = None
    """Epochs whose layers are drawn, 0 for the initialization; by default 0 and six more to the
    last."""
    full: bool = False
    """The paper's size: CIFAR-10, which must have been prepared."""
    model: str | None = None
    """A name of synflow_jax.models; by default a plain network, with --full lottery/vgg11-bn. After
    BatchNorm the scale of a layer doesn't matter, and the theorem doesn't bind its sum of
    squares."""
    epochs: int | None = None
    """Epochs of training; by default 80, with --full 160."""
    learning_rate: float | None = None
    """In place of the recipe's learning rate."""
    weight_decay: float | None = None
    """In place of the recipe's weight decay."""
    data_dir: Path | None = None
    """Where data sets were prepared."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(self, "epochs")
        check_range(self, "learning_rate", 1e-9)
        check_range(self, "weight_decay", 0)
        last, shown = recipe_of(self).epochs, shown_epochs(self)
        if not all(0 <= epoch <= last for epoch in shown):
            raise ValueError(f"--epochs-shown must be from 0 to {last}, got {shown}")


def recipe_of(options: Options) -> Recipe:
    """The recipe with what the options put in its place."""
    return overridden(PRESETS["cifar-vgg"] if options.full else PLAIN, options)


def shown_epochs(options: Options) -> tuple[int, ...]:
    """Epochs whose layers are drawn, rising."""
    last = recipe_of(options).epochs
    shown = options.epochs_shown or [round(last * f) for f in (0, 0.025, 0.1, 0.25, 0.5, 0.75, 1)]
    return tuple(sorted(set(shown)))
