"""The authors' published accuracies of iterative magnitude pruning."""

from pathlib import Path

from experiments.reporting.published import Point, mean_points


def read_multishot(folder: Path) -> list[Point]:
    """Figure 5a: the best epoch of iterative magnitude pruning of VGG-11-BN on CIFAR-10, with the
    number of cycles as the method. These runs didn't rewind.
    """
    path = folder / "fig5a_imp_vgg11bn_cifar10.csv"
    return mean_points(path, method="prune_train_cycles", value="best_top1", where={})
