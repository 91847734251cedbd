"""What Torch-Pruning publishes of ResNet-56 on CIFAR-10 and VGG-19-BN on CIFAR-100.

Of github.com/VainF/Torch-Pruning (Fang et al. 2023, arXiv:2301.12900): speed-ups are those of the
table in reproduce/readme.md, fractions those that the training logs below reproduce/run and
benchmarks/run print. They count multiplications of normalizations, activations, pooling and biases
too: 127.12 M of the whole ResNet-56, and 512.73 M of the whole VGG-19-BN, as comes out if its image
isn't halved before the last stage.
"""

from typing import NamedTuple


class Published(NamedTuple):
    """A pruned network.

    Attributes:
        network: the one here with the same layers.
        name: of the method.
        speed_up: multiplications before / after, as in the table.
        multiplications: fraction left, as in the log; None where there's no log.
        weights: the same of weights.
    """

    network: str
    name: str
    speed_up: float
    multiplications: float | None = None
    weights: float | None = None


RESNET, VGG = "lottery/resnet56", "lottery/vgg19-bn"

PUBLISHED = (
    Published(RESNET, "Group-L1", 2.12, 0.4726, 0.6365),
    Published(RESNET, "Group-BN", 2.12, 0.4719, 0.4380),
    Published(RESNET, "Group-GReg", 2.12, 0.4726, 0.7250),
    Published(RESNET, "DepGraph without sparse learning", 2.11),
    Published(RESNET, "DepGraph", 2.13, 0.4711, 0.4981),
    Published(VGG, "DepGraph without sparse learning", 8.87),
    Published(VGG, "DepGraph", 8.92, 0.1115, 0.0587),
)
