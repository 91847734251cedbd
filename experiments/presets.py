"""Published training recipes by name, and which one belongs to a model and a data set.

The values are those of the SynFlow authors: the hyperparameter tables in an earlier README of their
program (github.com/ganguli-lab/Synaptic-Flow), the arguments of their run of VGG-11-BN on CIFAR-10
(there, Results/data/singleshot/0630_2020_cifar10_lottery_vgg11_bn_run0/args.json), and for Tanaka
et al. 2020, arXiv:2006.05467.
"""

from experiments.training import Recipe

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


def preset_for(model: str, data: str) -> str | None:
    """The name of the recipe that was published for this model on this data set, if one was.

    >>> preset_for("lottery/vgg16-bn", "cifar10")
    'cifar-vgg'
    """
    return "digits" if data == "digits" else PUBLISHED.get((model, data))
