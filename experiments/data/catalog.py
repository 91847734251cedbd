"""The data sets that can be prepared, and what is known of each."""

from typing import Literal, NamedTuple

from experiments.data.types import Preprocessing

PreparedName = Literal["mnist", "cifar10", "cifar100", "tiny_imagenet", "imagenet2012"]
"""The data sets that `experiments.prepare` writes; the digits need none of it."""


class Description(NamedTuple):
    """``shape`` is that of every image, or None where images differ and are streamed.

    ``test_split`` is the split to test on: the test images of two sets have no labels.
    """

    classes: int
    preprocessing: Preprocessing
    shape: tuple[int, int, int] | None
    test_split: str


# A set with a shape stays below 2 GiB as uint8: the largest, Tiny-ImageNet, has 110,000 images.
_DESCRIPTIONS: dict[str, Description] = {
    "mnist": Description(10, Preprocessing((0.1307,), (0.3081,)), (28, 28, 1), "test"),
    "cifar10": Description(
        10,
        Preprocessing((0.491, 0.482, 0.447), (0.247, 0.243, 0.262), padding=4, flip=True),
        (32, 32, 3),
        "test",
    ),
    "cifar100": Description(
        100,
        Preprocessing((0.507, 0.487, 0.441), (0.267, 0.256, 0.276), padding=4, flip=True),
        (32, 32, 3),
        "test",
    ),
    "tiny_imagenet": Description(
        200,
        Preprocessing((0.480, 0.448, 0.397), (0.276, 0.269, 0.282), padding=4, flip=True),
        (64, 64, 3),
        "validation",
    ),
    # Cropped and flipped on the host, where images still differ in size.
    "imagenet2012": Description(
        1000,
        Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        None,
        "validation",
    ),
}


def describe(name: str) -> Description:
    """What is known of the data set; ValueError if there is none of that name."""
    if name not in _DESCRIPTIONS:
        raise ValueError(f"no data set {name!r}; there are digits, {', '.join(_DESCRIPTIONS)}")
    return _DESCRIPTIONS[name]
