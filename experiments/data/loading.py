"""Small data sets, whole and on the device."""

from pathlib import Path
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from experiments.data.catalog import describe
from experiments.data.types import DataSet, Examples

if TYPE_CHECKING:
    from experiments.data.records import Records


def load(name: str, data_dir: Path | None = None) -> DataSet:
    """The data set with all its images on the device, as uint8.

    Args:
        name: one of `experiments.data.catalog.SMALL`.
        data_dir: where data sets were prepared, by default ``~/tensorflow_datasets``. The digits
            come with scikit-learn. Nothing is downloaded.

    Raises:
        FileNotFoundError: if it isn't prepared or a file is missing, with the command to run.
        ValueError: if the name isn't that of a small data set, or a file is damaged.

    Example:
        >>> from experiments.data import load
        >>> digits = load("digits")
        >>> digits.train.images.shape, digits.train.images.dtype, digits.classes
        ((1437, 8, 8, 1), dtype('uint8'), 10)
    """
    description = describe(name)
    if description.arrays is not None:
        train, test = (Examples(*map(jnp.asarray, part)) for part in description.arrays())
    elif description.shape is None:
        raise ValueError(f"{name} is too large for the device; take experiments.data.stream")
    else:
        # Late, so that sets without files need no library for them.
        from experiments.data.records import open_records

        train, test = (
            _examples(open_records(name, data_dir, train=train), description.shape)
            for train in (True, False)
        )
    return DataSet(name, description.classes, description.preprocessing, train, test)


def _examples(records: "Records", shape: tuple[int, ...]) -> Examples:
    images = np.empty((len(records), *shape), np.uint8)
    labels = np.empty(len(records), np.int32)
    for index in range(len(records)):
        images[index], labels[index] = records[index]
    return Examples(jnp.asarray(images), jnp.asarray(labels))
