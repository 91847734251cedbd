"""The data sets, and what is known of each. To add one, add its row to `DATA_SETS`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from experiments.data.builders import from_tfds, tiny_imagenet
from experiments.data.digits import split_digits
from experiments.data.types import Batch, Preprocessing


class Description(NamedTuple):
    """What is known of a data set.

    Attributes:
        classes: labels.
        preprocessing: of its images.
        shape: of every image, or None where images differ and are streamed.
        test_split: the split to test on: the test images of two sets have no labels.
        builder: ``(name, folder)`` to a builder of TensorFlow Datasets that writes its files.
        needs_tensorflow: to write its files.
        arrays: gives the training and the test set of one that needs no files.
    """

    classes: int
    preprocessing: Preprocessing
    shape: tuple[int, int, int] | None
    test_split: str = "test"
    builder: Callable[[str, str], Any] = from_tfds
    needs_tensorflow: bool = True
    arrays: Callable[[], tuple[Batch, Batch]] | None = None


def _augmented(mean: tuple[float, ...], deviation: tuple[float, ...]) -> Preprocessing:
    return Preprocessing(mean, deviation, padding=4, flip=True)


# A set with a shape stays below 2 GiB as uint8: the largest, Tiny-ImageNet, has 110,000 images.
DATA_SETS = {
    # Their pixels go from 0 to 16; nothing is lost by keeping them.
    "digits": Description(
        10,
        Preprocessing((0.019161311010138224,), (0.023599634076236522,)),
        (8, 8, 1),
        arrays=split_digits,
    ),
    "mnist": Description(10, Preprocessing((0.1307,), (0.3081,)), (28, 28, 1)),
    "cifar10": Description(
        10, _augmented((0.491, 0.482, 0.447), (0.247, 0.243, 0.262)), (32, 32, 3)
    ),
    "cifar100": Description(
        100, _augmented((0.507, 0.487, 0.441), (0.267, 0.256, 0.276)), (32, 32, 3)
    ),
    "tiny_imagenet": Description(
        200,
        _augmented((0.480, 0.448, 0.397), (0.276, 0.269, 0.282)),
        (64, 64, 3),
        "validation",
        tiny_imagenet,
        needs_tensorflow=False,
    ),
    # Cropped and flipped on the host, where images still differ in size.
    "imagenet2012": Description(
        1000, Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), None, "validation"
    ),
}

ALL = tuple(DATA_SETS)
SMALL = tuple(name for name, each in DATA_SETS.items() if each.shape is not None)
PREPARED = tuple(name for name, each in DATA_SETS.items() if each.arrays is None)

# A command line offers the names of the table; to a type checker they are any text.
if TYPE_CHECKING:
    DataName = SmallName = PreparedName = str
else:
    DataName, SmallName, PreparedName = Literal[ALL], Literal[SMALL], Literal[PREPARED]


def describe(name: str) -> Description:
    """What is known of the data set; ValueError if there is none of that name."""
    if name not in DATA_SETS:
        raise ValueError(f"no data set {name!r}; there are {', '.join(DATA_SETS)}")
    return DATA_SETS[name]
