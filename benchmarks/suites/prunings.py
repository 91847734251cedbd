"""Prunings by SynFlow of which a CPU's rounds are measured, by the names that ``--only`` takes."""

from collections.abc import Mapping

from benchmarks.harness.table import Reach, at_least
from benchmarks.measurements.rounds import Pruning
from benchmarks.networks.zoo import RESNET18, RESNET20, RESNET50, SMALL, VGG16, VGG19

FLOOR = Reach(2.5)

FULL: Mapping[str, Pruning] = {
    "vgg16": Pruning("VGG-16-BN / CIFAR-100", VGG16, 100, 5, at_least(12), FLOOR),
    "resnet18": Pruning("ResNet-18 / Tiny-ImageNet", RESNET18, 100, 5, at_least(12), FLOOR),
    "resnet20": Pruning("ResNet-20 / CIFAR-10", RESNET20, 100, 100, at_least(8), FLOOR),
    "vgg19": Pruning("VGG-19 / ImageNet", VGG19, 20, 2, at_least(8), FLOOR),
    "resnet50": Pruning("ResNet-50 / ImageNet", RESNET50, 40, 3, at_least(8), FLOOR),
}

QUICK: Mapping[str, Pruning] = {"rounds": Pruning("Two convolutions", SMALL, 3, 3)}
