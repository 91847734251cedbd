"""The options of the single-shot experiment."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, get_args

from experiments.methods import Method
from experiments.options import check_distinct, check_powers, check_range
from experiments.presets import PRESETS, preset_for
from experiments.runs import check_run_name
from experiments.training import Recipe

DataName = Literal["digits", "cifar10", "cifar100", "tiny_imagenet"]
RECIPE_OPTIONS = ("batch_size", "learning_rate", "momentum", "weight_decay")


@dataclass(frozen=True)
class Config:
    """Prune a network at initialization by several methods, train what is left, and draw test
    accuracy against compression. By default a small VGG on handwritten digits; nothing is
    downloaded.
    """

    methods: tuple[Method, ...] = get_args(Method)
    """Methods to compare."""
    log10_compressions: tuple[float, ...] | None = None
    """log10 of each compression (weights before / weights after): 2 keeps 1 weight in 100. By
    default 0 to 3 by 0.5; by 0.25 for other networks and data, and to 6 with --full."""
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
    full: bool = False
    """The paper's size: VGG-16-BN on CIFAR-100 up to a compression of a million, with the
    published training recipe. The data must have been prepared."""
    model: str | None = None
    """A name of synflow_jax.models, such as tinyimagenet/resnet18, trained by its published
    recipe; by default the small VGG for the digits."""
    data: DataName = "digits"
    """Data set; all but the digits must have been prepared."""
    data_dir: Path | None = None
    """Where data sets were prepared."""
    paper_data: Path | None = None
    """Folder with fig1_vgg16bn_cifar100_accuracy.csv and fig6_accuracy.csv, to draw and compare
    the authors' accuracies."""
    epochs: int | None = None
    """Passes over the training images; by default 8, or those of the published recipe. This and
    the next four are the small VGG's; other networks take the published values."""
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
        if self.log10_compressions is not None:
            check_distinct(self, "log10_compressions")
            check_powers(self.log10_compressions)
        for name in (
            "seeds",
            "synflow_rounds",
            "scoring_images",
            "epochs",
            "batch_size",
            "workers",
        ):
            if getattr(self, name) is not None:
                check_range(self, name, 1)
        for name in ("learning_rate", "grasp_temperature"):
            check_range(self, name, 1e-9)
        check_range(self, "seed", 0, 2**32 - 1)
        check_range(self, "momentum", 0, 1)
        check_range(self, "weight_decay", 0)
        check_run_name(self)
        if model_of(self) is not None:
            self._check_recipe()

    def _check_recipe(self) -> None:
        published = recipe_of(self)
        for field in fields(self):
            if field.name in RECIPE_OPTIONS:
                value, recipes = getattr(self, field.name), getattr(published, field.name)
                if value not in (field.default, recipes):
                    raise ValueError(
                        f"--{field.name.replace('_', '-')} is for the small VGG; "
                        f"{model_of(self)} takes the published {recipes}, got {value}"
                    )


def model_of(config: Config) -> str | None:
    """The name of the network in the zoo, or None for the small VGG."""
    return config.model or ("lottery/vgg16-bn" if config.full else None)


def data_of(config: Config) -> DataName:
    """The name of the data set."""
    return "cifar100" if config.full and config.data == "digits" else config.data


def powers_of(config: Config) -> list[float]:
    """log10 of the compressions, rising."""
    if config.log10_compressions is not None:
        return sorted(config.log10_compressions)
    if model_of(config) is None:
        return [i / 2 for i in range(7)]
    return [i / 4 for i in range(25 if config.full else 13)]


def epochs_of(config: Config) -> int:
    """Passes over the training images."""
    if config.epochs is not None:
        return config.epochs
    return 8 if model_of(config) is None else recipe_of(config).epochs


def recipe_of(config: Config) -> Recipe:
    """The published recipe of a network other than the small VGG; ValueError if there is none."""
    preset = preset_for(model_of(config) or "", data_of(config))
    if preset is None:
        raise ValueError(f"no recipe was published for {model_of(config)} on {data_of(config)}")
    return PRESETS[preset]


def resolved(config: Config) -> Config:
    """The config with what its defaults stand for."""
    filled = replace(config, log10_compressions=tuple(powers_of(config)), epochs=epochs_of(config))
    if model_of(config) is None:
        return filled
    recipe = {name: getattr(recipe_of(config), name) for name in RECIPE_OPTIONS}
    return replace(filled, model=model_of(config), data=data_of(config), **recipe)
