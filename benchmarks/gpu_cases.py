"""What is measured on a GPU, by the names that ``--only`` takes. Needs no PyTorch."""

from collections.abc import Mapping
from functools import partial

from benchmarks import rounds, selection
from benchmarks.networks import Network
from benchmarks.rounds import Pruning
from benchmarks.table import Part, Reach

SMALL = Network("default/conv", 10, (32, 32, 3))
VGG16 = Network("lottery/vgg16-bn", 100, (32, 32, 3))
RESNET50 = Network("imagenet/resnet50", 1000, (224, 224, 3))
VGG19 = Network("imagenet/vgg19", 1000, (224, 224, 3))


def alone(title: str, pruning: Pruning) -> Part:
    return partial(rounds.alone, title=title, pruning=pruning)


FULL: Mapping[str, tuple[Part, ...]] = {
    "vgg16": (alone("VGG-16-BN / CIFAR-100", Pruning(VGG16, 100, reach=Reach(60))),),
    "resnet50": (alone("ResNet-50 / ImageNet", Pruning(RESNET50, 100, reach=Reach(200))),),
    "kth": (partial(selection.against_partition, network=VGG19, reach=Reach(2)),),
}
"""Everything."""

QUICK: Mapping[str, tuple[Part, ...]] = {
    "rounds": (alone("Two convolutions", Pruning(SMALL, 3)),),
    "kth": (partial(selection.against_partition, network=SMALL),),
}
"""The same on a small network."""
