"""The options of the single-shot experiment."""

from dataclasses import dataclass, fields, replace
from pathlib import Path

from experiments.method_table import PAPER_METHODS, MethodName
from experiments.runs.options import (
    RunOptions,
    check_counts,
    check_distinct,
    check_powers,
    check_range,
)
from experiments.training.recipes import (
    PRESETS,
    SINGLESHOT,
    Recipe,
    RecipeDataName,
    overridden,
    preset_for,
)

RECIPE_OPTIONS = ("batch_size", "learning_rate", "momentum", "weight_decay")


@dataclass(frozen=True)
class Options(RunOptions):
    """Prune a network at initialization by several methods, train what is left, and draw test
    accuracy against compression. By default a small VGG on handwritten digits; nothing is
    downloaded.
    """

    methods: tuple[MethodName, ...] = PAPER_METHODS
    """Methods to compare."""
    log10_compressions: tuple[float, ...] | None = None
    """log10 of each compression (weights before / weights after): 2 keeps 1 weight in 100. By
    default 0 to 3 by 0.5; by 0.25 for other networks and data, and to 6 with --full."""
    seeds: int = 3
    """Runs of each method and compression. Each has its own initialization, scoring batch, random
    scores and order of the data."""
    synflow_rounds: int = 100
    """Rounds, on an exponential schedule, of SynFlow and other methods that take more than one."""
    scoring_images: int = 10
    """Training images of each class that methods score with."""
    grasp_temperature: float = 200.0
    """GraSP divides the logits by it."""
    compact: bool = False
    """Train what is left as a smaller dense network; rows.csv and a second table then hold how
    long it all took."""
    full: bool = False
    """The paper's size: VGG-16-BN on CIFAR-100 up to a compression of a million, with the
    published training recipe. The data must have been prepared."""
    model: str | None = None
    """A name of synflow_jax.models, such as tinyimagenet/resnet18, trained by its published
    recipe; by default the small VGG for the digits."""
    data: RecipeDataName = "digits"
    """Data set; all but the digits must have been prepared."""
    data_dir: Path | None = None
    """Where data sets were prepared."""
    paper_data: Path | None = None
    """Folder with fig1_vgg16bn_cifar100_accuracy.csv and fig6_accuracy.csv, to draw and compare
    the authors' accuracies."""
    epochs: int | None = None
    """Passes over the training images; by default 8, or those of the published recipe. This and
    the next four are the small VGG's; other networks take the published values."""
    batch_size: int = SINGLESHOT.batch_size
    """Images in a training step."""
    learning_rate: float = SINGLESHOT.learning_rate
    """Learning rate of the first step; it falls to 0 as a cosine does."""
    momentum: float = SINGLESHOT.momentum
    """Nesterov momentum."""
    weight_decay: float = SINGLESHOT.weight_decay
    """Weight decay, added to the gradient."""
    workers: int = 2
    """Networks trained at a time; the results don't depend on it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_distinct(self, "methods")
        check_powers(self)
        check_counts(
            self, "seeds", "synflow_rounds", "scoring_images", "epochs", "batch_size", "workers"
        )
        for name in ("learning_rate", "grasp_temperature"):
            check_range(self, name, 1e-9)
        check_range(self, "momentum", 0, 1)
        check_range(self, "weight_decay", 0)
        if not is_small(self):
            self._check_recipe()
        elif self.data != "digits":
            raise ValueError(f"--data {self.data} needs a --model; the small VGG is for the digits")

    def _check_recipe(self) -> None:
        published = published_recipe(self)
        for field in fields(self):
            if field.name in RECIPE_OPTIONS:
                value, recipes = getattr(self, field.name), getattr(published, field.name)
                if value not in (field.default, recipes):
                    raise ValueError(
                        f"--{field.name.replace('_', '-')} is for the small VGG; "
                        f"{model_of(self)} takes the published {recipes}, got {value}"
                    )


def model_of(options: Options) -> str | None:
    """The name of the network in the zoo, or None for the small VGG."""
    return options.model or ("lottery/vgg16-bn" if options.full else None)


def is_small(options: Options) -> bool:
    """Whether it's the small VGG on the digits."""
    return model_of(options) is None


def data_of(options: Options) -> str:
    """The name of the data set."""
    return "cifar100" if options.full and options.data == "digits" else options.data


def powers_of(options: Options) -> list[float]:
    """log10 of the compressions, rising."""
    if options.log10_compressions is not None:
        return sorted(options.log10_compressions)
    if is_small(options):
        return [i / 2 for i in range(7)]
    return [i / 4 for i in range(25 if options.full else 13)]


def epochs_of(options: Options) -> int:
    """Passes over the training images."""
    if options.epochs is not None:
        return options.epochs
    return (SINGLESHOT if is_small(options) else published_recipe(options)).epochs


def published_recipe(options: Options) -> Recipe:
    """The published recipe of a network other than the small VGG; ValueError if there is none."""
    preset = preset_for(model_of(options) or "", data_of(options))
    if preset is None:
        raise ValueError(f"no recipe was published for {model_of(options)} on {data_of(options)}")
    return PRESETS[preset]


def resolved(options: Options) -> Options:
    """The options with what its defaults stand for."""
    filled = replace(
        options, log10_compressions=tuple(powers_of(options)), epochs=epochs_of(options)
    )
    if is_small(options):
        return filled
    recipe = {name: getattr(published_recipe(options), name) for name in RECIPE_OPTIONS}
    return replace(filled, model=model_of(options), data=data_of(options), **recipe)


def recipe_of(options: Options) -> Recipe:
    """The recipe with what the options put in its place."""
    own = SINGLESHOT if is_small(options) else published_recipe(options)
    return overridden(own, resolved(options))
