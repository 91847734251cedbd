"""Every training recipe: the published ones by name, and those of the small runs.

The published values are those of the SynFlow authors: the hyperparameter tables in an earlier
README of their program (github.com/ganguli-lab/Synaptic-Flow), the arguments of their run of
VGG-11-BN on CIFAR-10 (there,
Results/data/singleshot/0630_2020_cifar10_lottery_vgg11_bn_run0/args.json), and for Tanaka et al.
2020, arXiv:2006.05467.
"""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import optax

from experiments.data.catalog import DATA_SETS


@dataclass(frozen=True)
class Recipe:
    """Stochastic gradient descent with Nesterov momentum and a learning rate that drops by epoch.

    Attributes:
        epochs: passes over the training examples.
        learning_rate: that of the first step.
        drops: epochs after which the learning rate is multiplied by ``drop_factor``.
        drop_factor: see there.
        weight_decay: times each parameter, added to its gradient (before the momentum).
        momentum: Nesterov's.
        batch_size: examples in a step.
        cosine: the learning rate falls to 0 as a cosine does, in place of ``drops``.
        adam: Adam, at a constant learning rate or with ``cosine``, in place of all that.
    """

    epochs: int
    learning_rate: float
    drops: tuple[int, ...] = ()
    drop_factor: float = 0.1
    weight_decay: float = 0.0
    momentum: float = 0.9
    batch_size: int = 128
    cosine: bool = False
    adam: bool = False


PRESETS = {
    "cifar-vgg": Recipe(160, 0.1, drops=(60, 120), drop_factor=0.1, weight_decay=1e-4),
    "cifar-resnet": Recipe(160, 0.01, drops=(60, 120), drop_factor=0.2, weight_decay=5e-4),
    "tiny-imagenet": Recipe(100, 0.01, drops=(30, 60, 80), drop_factor=0.1, weight_decay=1e-4),
    # This project's own, for a minute's training.
    "digits": Recipe(24, 0.1, drops=(12, 18), drop_factor=0.1, weight_decay=5e-4, batch_size=64),
}

VGGS = ("lottery/vgg16-bn", "lottery/vgg19-bn")
RESNETS = ("tinyimagenet/resnet18", "tinyimagenet/wide-resnet18")

PUBLISHED = (
    {(model, data): "cifar-vgg" for model in VGGS for data in ("cifar10", "cifar100")}
    | {("lottery/vgg11-bn", "cifar10"): "cifar-vgg"}
    | {(model, data): "cifar-resnet" for model in RESNETS for data in ("cifar10", "cifar100")}
    | {(model, "tiny_imagenet"): "tiny-imagenet" for model in (*VGGS, *RESNETS)}
)


# The data sets with a published recipe, and those that need none.
RECIPE_DATA = tuple(
    name
    for name, each in DATA_SETS.items()
    if each.arrays is not None or name in {data for _, data in PUBLISHED}
)
if TYPE_CHECKING:
    RecipeDataName = str
else:
    RecipeDataName = Literal[RECIPE_DATA]

# Of the small runs, this project's own: single-shot pruning; transformers; cycles of pruning and
# ablations; the plain network of figure 5b; SynFlow's inputs.
SINGLESHOT = Recipe(8, 0.1, weight_decay=5e-4, batch_size=64, cosine=True)
TOKENS = Recipe(8, 5e-3, batch_size=32, cosine=True, adam=True)
SHORT = Recipe(8, 0.1, drops=(4, 6), weight_decay=5e-4, batch_size=64)
PLAIN = Recipe(80, 0.05, weight_decay=5e-3, batch_size=64)
DENSE = Recipe(20, 0.1, drops=(10,), weight_decay=5e-4, batch_size=64)

# Lottery tickets, small and as published (Frankle and Carbin 2019): 50,000 and 20,000 steps are 55
# and 27 epochs of the images that aren't for validation.
LENET_DIGITS = Recipe(40, 1.2e-3, batch_size=60, adam=True)
CONV_DIGITS = Recipe(20, 3e-3, batch_size=60, adam=True)
LENET_MNIST = Recipe(55, 1.2e-3, batch_size=60, adam=True)
CONV_CIFAR = Recipe(27, 2e-4, batch_size=60, adam=True)


def preset_for(model: str, data: str) -> str | None:
    """The name of the recipe that was published for this model on this data set, if one was; that
    of the digits for all sets that need no files.

    >>> preset_for("lottery/vgg16-bn", "cifar10")
    'cifar-vgg'
    """
    if data in DATA_SETS and DATA_SETS[data].arrays is not None:
        return "digits"
    return PUBLISHED.get((model, data))


def overridden(recipe: Recipe, options: Any) -> Recipe:
    """The recipe with what options of the names of its fields put in its place."""
    given = {field.name: getattr(options, field.name, None) for field in fields(Recipe)}
    return replace(recipe, **{name: value for name, value in given.items() if value is not None})


def optimizer_of(recipe: Recipe, steps_per_epoch: int) -> optax.GradientTransformation:
    """The recipe's optimizer; its learning rate is a function of the step."""
    if recipe.adam:
        return optax.adam(
            _cosine(recipe, steps_per_epoch) if recipe.cosine else recipe.learning_rate
        )
    return sgd(recipe, steps_per_epoch)


def sgd(recipe: Recipe, steps_per_epoch: int) -> optax.GradientTransformation:
    """Nesterov momentum on the gradient plus the weight decay times the params."""
    if recipe.cosine:
        rate = _cosine(recipe, steps_per_epoch)
    else:
        drops = {epoch * steps_per_epoch: recipe.drop_factor for epoch in recipe.drops}
        rate = optax.piecewise_constant_schedule(recipe.learning_rate, drops)
    return optax.chain(
        optax.add_decayed_weights(recipe.weight_decay),
        optax.sgd(rate, momentum=recipe.momentum, nesterov=True),
    )


def _cosine(recipe: Recipe, steps_per_epoch: int) -> optax.Schedule:
    return optax.cosine_decay_schedule(recipe.learning_rate, recipe.epochs * steps_per_epoch)
