"""What is measured on a GPU, by the names that ``--only`` takes. Needs no PyTorch."""

from collections.abc import Mapping
from functools import partial

from benchmarks.harness.table import Part, Reach
from benchmarks.measurements import sparse_training
from benchmarks.measurements.compaction import against_masked
from benchmarks.measurements.rounds import Pruning, alone
from benchmarks.measurements.selection import against_histogram, against_partition
from benchmarks.measurements.training import against_bare_optimizer
from benchmarks.networks.zoo import RESNET20, RESNET50, SMALL, VGG16, VGG16_CIFAR10, VGG19

VGG16_ROUNDS = Pruning("VGG-16-BN / CIFAR-100", VGG16, 100, reach=Reach(60))
RESNET50_ROUNDS = Pruning("ResNet-50 / ImageNet", RESNET50, 100, reach=Reach(200))

FULL: Mapping[str, tuple[Part, ...]] = {
    "vgg16": (partial(alone, pruning=VGG16_ROUNDS),),
    "resnet50": (partial(alone, pruning=RESNET50_ROUNDS),),
    "kth": (
        partial(against_partition, network=VGG19, reach=Reach(2)),
        partial(against_histogram, network=VGG19),
    ),
    "compact": tuple(
        partial(against_masked, network=network, compressions=(10, 100, 1000), batch=128, steps=20)
        for network in (VGG16_CIFAR10, RESNET20)
    ),
    "training": tuple(
        partial(against_bare_optimizer, network=network, batch=128, steps=20, scan=scan)
        for network in (RESNET20, VGG16_CIFAR10)
        for scan in (False, True)
    ),
    "changing": tuple(
        partial(
            sparse_training.against_bare_optimizer,
            network=network,
            batch=128,
            steps=20,
            reach=Reach(1.03),
        )
        for network in (RESNET20, VGG16_CIFAR10)
    ),
}
"""Everything."""

TINY = SMALL._replace(side=8)

QUICK: Mapping[str, tuple[Part, ...]] = {
    "rounds": (partial(alone, pruning=Pruning("Two convolutions", SMALL, 3)),),
    "kth": (partial(against_partition, network=SMALL), partial(against_histogram, network=SMALL)),
    "compact": (
        partial(against_masked, network=TINY, compressions=(10,), batch=2, steps=2, rounds=3),
    ),
    "training": (partial(against_bare_optimizer, network=TINY, batch=2, steps=2, scan=True),),
    "changing": (partial(sparse_training.against_bare_optimizer, network=TINY, batch=2, steps=2),),
}
"""The same on a small network."""
