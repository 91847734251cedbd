"""The authors' published accuracies of single-shot pruning."""

from pathlib import Path

from experiments.reporting.published import Point, mean_points


def read_singleshot(folder: Path, *, model: str | None, data: str) -> list[Point]:
    """The accuracies of figure 6 for a network and a data set; of figure 1 for VGG-16-BN on
    CIFAR-100, and for the small VGG, which has none of its own.
    """
    if model is None or (model, data) == ("lottery/vgg16-bn", "cifar100"):
        path = folder / "fig1_vgg16bn_cifar100_accuracy.csv"
        return mean_points(path, method="method", value="final_top1", where={})
    where = {"dataset": data.replace("_", ""), "model": _their_name(model, data)}
    path = folder / "fig6_accuracy.csv"
    found = mean_points(path, method="method", value="top1", where=where)
    if not found:
        raise ValueError(f"{path} has nothing of {model} on {data}")
    return found


def _their_name(model: str, data: str) -> str:
    """The network's name in the column ``model``: there Tiny-ImageNet's have no first part."""
    first, name = model.split("/")
    name = name.replace("-", "_")
    prefix = {"lottery": "lottery_", "tinyimagenet": "tiny_"}.get(first, "")
    return name if data == "tiny_imagenet" else prefix + name
