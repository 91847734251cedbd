"""Large data sets read from disk in batches, by several processes, with a place to go on from."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np

from experiments.data.catalog import describe
from experiments.data.crops import SIDE, center_crop, random_crop
from experiments.data.types import Batch, DataSet, Streamed

if TYPE_CHECKING:
    import grain


def stream(
    name: str,
    data_dir: Path | None = None,
    *,
    split: Literal["train", "test"],
    batch_size: int,
    seed: int,
    workers: int = 0,
    epochs: int | None = 1,
    shard: tuple[int, int] | None = None,
) -> "grain.DatasetIterator[Batch]":
    """This host's batches of a large data set; `normalized` makes them ready on the device.

    Training images come in a new order and as new random crops in every epoch; those that don't
    fill a batch on every host are left out of it. Test images come once in their own order, as
    center crops, the last batch perhaps smaller. The batches depend on the seed, not on the
    number of workers.

    ``get_state()`` of the iterator is a tree of JSON values; ``set_state(state)`` of another with
    the same arguments goes on where the first was. ``close()`` ends the workers.

    Args:
        name: imagenet2012.
        data_dir: where it was prepared, by default ``~/tensorflow_datasets``.
        split: train or test.
        batch_size: images in a batch of this host.
        seed: of order and crops, the same on all hosts.
        workers: processes that read and crop; with 0, threads of this one do.
        epochs: passes over the training images, None for no end.
        shard: this host's number from 0 and the number of hosts, by default JAX's processes.

    Raises:
        FileNotFoundError: if the data set isn't prepared or a file is missing.
        ValueError: if an argument is out of range, the data set isn't a large one, or, here or in
            ``next``, a file is damaged.
    """
    import grain
    from absl import flags

    from experiments.data.records import open_records

    if describe(name).shape is not None:
        raise ValueError(f"{name} is small enough for the device; take experiments.data.load")
    index, hosts = shard or (jax.process_index(), jax.process_count())
    if split not in ("train", "test"):
        raise ValueError(f"split must be train or test, got {split!r}")
    _check_numbers(batch_size=batch_size, workers=workers, epochs=epochs)
    if not 0 <= index < hosts:
        raise ValueError(f"shard must be (index, count) with index < count, got {shard}")
    records = open_records(name, data_dir, train=split == "train")
    images = grain.MapDataset.source(records).seed(seed)
    if split == "train":
        # Equal parts, for hosts that step together.
        equal = len(records) // (hosts * batch_size) * hosts * batch_size
        if not equal:
            raise ValueError(f"{hosts} batches of {batch_size}, but only {len(records)} images")
        part = images.shuffle()[:equal][index::hosts].random_map(_training_example)
        batches = part.batch(batch_size, drop_remainder=True, batch_fn=_batch).repeat(epochs)
    else:
        batches = images[index::hosts].map(_test_example).batch(batch_size, batch_fn=_batch)
    # Grain's workers read absl flags, which only a program started by absl has parsed.
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    processes = grain.MultiprocessingOptions(num_workers=workers)
    return iter(batches.to_iter_dataset().mp_prefetch(processes))


def streamed(
    name: str, data_dir: Path | None = None, *, batch_size: int, seed: int, workers: int = 0
) -> DataSet:
    """A large data set of which each pass is a `stream`; the arguments and errors are its.

    The stream of an epoch depends on the seed and the epoch alone, so a run that goes on after
    any epoch reads what it would have read.
    """
    from experiments.data.records import open_records

    description = describe(name)

    def part(split: Literal["train", "test"]) -> Streamed:
        def batches(epoch: int) -> Any:
            return stream(
                name,
                data_dir,
                split=split,
                batch_size=batch_size,
                seed=int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0]) % 2**31,
                workers=workers,
            )

        size = len(open_records(name, data_dir, train=split == "train"))
        return Streamed((SIDE, SIDE, 3), size, batches)

    classes, preprocessing = description.classes, description.preprocessing
    return DataSet(name, classes, preprocessing, part("train"), part("test"))


def first_of_each(batches: Iterable[Batch], per_class: int, classes: int) -> Batch:
    """The first ``per_class`` images of each class; the stream is read until they are there."""
    counts, images, labels = np.zeros(classes, int), [], []
    for batch in batches:
        for image, label in zip(*batch, strict=True):
            if counts[label] < per_class:
                counts[label] += 1
                images.append(image)
                labels.append(label)
        if np.all(counts == per_class):
            break
    return _batch(list(zip(images, labels, strict=True)))


def _check_numbers(*, batch_size: int, workers: int, epochs: int | None) -> None:
    if batch_size < 1:
        raise ValueError(f"batch_size must be >= 1, got {batch_size}")
    if workers < 0:
        raise ValueError(f"workers must be >= 0, got {workers}")
    if epochs is not None and epochs < 1:
        raise ValueError(f"epochs must be >= 1 or None, got {epochs}")


def _training_example(
    example: tuple[np.ndarray, int], generator: np.random.Generator
) -> tuple[np.ndarray, int]:
    image, label = example
    return random_crop(image, generator), label


def _test_example(example: tuple[np.ndarray, int]) -> tuple[np.ndarray, int]:
    image, label = example
    return center_crop(image), label


def _batch(examples: Sequence[tuple[np.ndarray, int]]) -> Batch:
    images, labels = zip(*examples, strict=True)
    return Batch(np.stack(images), np.asarray(labels, np.int32))
