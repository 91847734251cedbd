"""What is measured, by the names that ``--only`` takes."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from benchmarks import agreement, data_scores, peak_memory, rounds, selection, sweeps
from benchmarks.data_scores import GRASP, SNIP
from benchmarks.first_call import first_calls
from benchmarks.networks import Network
from benchmarks.rounds import Pruning
from benchmarks.sparse_training import against_bare_optimizer
from benchmarks.table import Part, Reach, at_least

CIFAR, IMAGENET = (32, 32, 3), (224, 224, 3)
SMALL = Network("default/conv", 10, CIFAR)
VGG11 = Network("lottery/vgg11-bn", 10, CIFAR)
VGG16 = Network("lottery/vgg16-bn", 100, CIFAR)
VGG19 = Network("imagenet/vgg19", 1000, IMAGENET)
RESNET18 = Network("tinyimagenet/resnet18", 200, (64, 64, 3))
RESNET20 = Network("lottery/resnet20", 10, CIFAR)
RESNET50 = Network("imagenet/resnet50", 1000, IMAGENET)
RESNET110 = Network("lottery/resnet110", 10, CIFAR)
FLOOR, BYTES = Reach(2.5), Reach(16)


def against_torch(title: str, pruning: Pruning) -> Part:
    return partial(rounds.against_torch, title=title, pruning=pruning)


FULL: Mapping[str, tuple[Part, ...]] = {
    "masks": (
        partial(agreement.synflow_agrees, network=VGG16, rounds=10),
        partial(agreement.synflow_agrees, network=RESNET18, rounds=10),
        partial(agreement.synflow_agrees, network=RESNET20, rounds=10),
        partial(agreement.synflow_agrees, network=RESNET50, rounds=3),
        partial(agreement.data_score_agrees, method=SNIP, network=VGG16, count=20),
        partial(agreement.data_score_agrees, method=GRASP, network=VGG16, count=20),
    ),
    "vgg16": (against_torch("VGG-16-BN / CIFAR-100", Pruning(VGG16, 100, 5, at_least(12), FLOOR)),),
    "resnet18": (
        against_torch("ResNet-18 / Tiny-ImageNet", Pruning(RESNET18, 100, 5, at_least(12), FLOOR)),
    ),
    "resnet20": (
        against_torch("ResNet-20 / CIFAR-10", Pruning(RESNET20, 100, 100, at_least(8), FLOOR)),
    ),
    "vgg19": (against_torch("VGG-19 / ImageNet", Pruning(VGG19, 20, 2, at_least(8), FLOOR)),),
    "resnet50": (
        against_torch("ResNet-50 / ImageNet", Pruning(RESNET50, 40, 3, at_least(8), FLOOR)),
    ),
    "kth": (
        partial(
            selection.against_partition, network=VGG16, reach=Reach(10), reach_ratio=Reach(0.6)
        ),
    ),
    "memory": (
        partial(peak_memory.beyond_inputs, network=VGG16, rounds=100, reach=BYTES),
        partial(peak_memory.beyond_inputs, network=VGG19, rounds=5, reach=BYTES),
    ),
    "first-call": (
        partial(first_calls, network=VGG16, rounds=100, reach=Reach(6)),
        partial(first_calls, network=RESNET110, rounds=100, reach=Reach(15)),
    ),
    "sweep": (
        partial(
            sweeps.against_loop,
            network=RESNET20,
            compressions=np.logspace(0, 3, 25).tolist(),
            seeds=3,
            rounds=100,
            reach=at_least(3),
        ),
    ),
    "snip": (
        partial(
            data_scores.against_torch, method=SNIP, network=VGG16, count=1000, reach=at_least(1.5)
        ),
    ),
    "grasp": (
        partial(
            data_scores.against_torch, method=GRASP, network=VGG16, count=1000, reach=at_least(1.5)
        ),
    ),
    "training": (
        partial(against_bare_optimizer, name=RESNET20.name, batch=128, steps=3, reach=Reach(1.02)),
        partial(against_bare_optimizer, name=VGG16.name, batch=128, steps=3, reach=Reach(1.02)),
    ),
}
"""Everything, on a CPU."""

QUICK: Mapping[str, tuple[Part, ...]] = {
    "masks": (
        partial(agreement.synflow_agrees, network=VGG11, rounds=3),
        partial(agreement.synflow_agrees, network=RESNET20, rounds=3),
        partial(agreement.data_score_agrees, method=SNIP, network=SMALL, count=4),
        partial(agreement.data_score_agrees, method=GRASP, network=SMALL, count=4),
    ),
    "rounds": (against_torch("Two convolutions", Pruning(SMALL, 3, 3)),),
    "kth": (partial(selection.against_partition, network=SMALL),),
    "memory": (partial(peak_memory.beyond_inputs, network=SMALL, rounds=3),),
    "first-call": (partial(first_calls, network=SMALL, rounds=3, processes=1),),
    "sweep": (
        partial(sweeps.against_loop, network=SMALL, compressions=[1.0, 10.0], seeds=2, rounds=3),
    ),
    "snip": (partial(data_scores.against_torch, method=SNIP, network=SMALL, count=4),),
    "grasp": (partial(data_scores.against_torch, method=GRASP, network=SMALL, count=4),),
    "training": (partial(against_bare_optimizer, name=SMALL.name, batch=20, steps=2),),
}
"""The same on small networks, to see that everything works; the times say little."""
