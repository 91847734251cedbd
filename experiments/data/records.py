"""Prepared data sets read from ArrayRecord files: any example by its number, without TensorFlow."""

import bisect
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordReader
from PIL import Image

from experiments.data.catalog import Description, describe

DATA_DIR = Path.home() / "tensorflow_datasets"
"""Where data sets are kept unless told otherwise, as TensorFlow Datasets does."""


@dataclass(frozen=True)
class Records:
    """The examples of one split: ``records[i]`` is an image, uint8, and its label.

    ``ends[k]`` is the number of examples in the files up to ``files[k]``.
    """

    source: Any
    files: tuple[Path, ...]
    ends: tuple[int, ...]
    description: Description

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        try:
            example = self.source[index]
            image = _decoded(example["image"], self.description)
        # Each decoder has its own exceptions for damaged bytes.
        except Exception as error:
            raise ValueError(f"{self._place(index)} can't be read: {_line(error)}") from error
        label = example["label"]
        if not 0 <= label < self.description.classes:
            classes = self.description.classes
            raise ValueError(f"{self._place(index)} has label {label} of {classes} classes")
        return image, label

    def _place(self, index: int) -> str:
        file = bisect.bisect_right(self.ends, index)
        return f"{self.files[file]}: example {index - (0, *self.ends)[file]}"


def open_records(name: str, data_dir: Path | None = None, *, train: bool) -> Records:
    """The training or the test examples of a prepared data set.

    Files are looked at now, examples when they are asked for.

    Raises:
        FileNotFoundError: if the data set isn't prepared or a file of it is missing.
        ValueError: if the name isn't known, a file is damaged or the data set isn't the one
            expected. Both errors name the file.
    """
    description = describe(name)
    folder = _folder(name, data_dir or DATA_DIR)
    split = "train" if train else description.test_split
    builder = _builder(folder)
    _check_features(builder.info.features, folder / "features.json", name, description)
    if split not in builder.info.splits:
        splits = ", ".join(builder.info.splits) or "nothing"
        raise ValueError(f"{folder / 'dataset_info.json'}: no split {split!r} but {splits}")
    info = builder.info.splits[split]
    files = tuple(Path(path) for path in info.filepaths)
    _check_files(files, info.shard_lengths, _again(name, folder))
    # Decoding is left to Pillow: TensorFlow Datasets prefers OpenCV, and decodes differently then.
    encoded = {"image": tfds.decode.SkipDecoding()}
    source = builder.as_data_source(split, decoders=encoded)
    return Records(source, files, tuple(accumulate(info.shard_lengths)), description)


def command(name: str, data_dir: Path) -> str:
    """The command that prepares a data set."""
    return f"python -m experiments.prepare {name} --data-dir {data_dir}"


def _folder(name: str, data_dir: Path) -> Path:
    versions = (data_dir / name).glob("[0-9]*/dataset_info.json")
    folders = [path.parent for path in versions if tfds.core.Version.is_valid(path.parent.name)]
    if not folders:
        prepare = command(name, data_dir)
        raise FileNotFoundError(f"{name} isn't prepared in {data_dir}; run: {prepare}")
    return max(folders, key=lambda folder: tfds.core.Version(folder.name))


def _again(name: str, folder: Path) -> str:
    return f"delete {folder} and run: {command(name, folder.parent.parent)}"


def _builder(folder: Path) -> Any:
    for file in (folder / "dataset_info.json", folder / "features.json"):
        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing")
        try:
            json.loads(file.read_text())
        except ValueError as error:
            raise ValueError(f"{file}: {_line(error)}") from error
    try:
        builder = tfds.builder_from_directory(folder)
    except Exception as error:
        raise ValueError(f"{folder}: no data set can be read: {_line(error)}") from error
    if builder.info.file_format != tfds.core.FileFormat.ARRAY_RECORD:
        found = builder.info.file_format
        raise ValueError(
            f"{folder / 'dataset_info.json'}: the format is {found and found.value}, not "
            "array_record; prepare into another --data-dir"
        )
    return builder


def _check_features(features: Any, file: Path, name: str, description: Description) -> None:
    if not {"image", "label"} <= set(features or ()):
        raise ValueError(f"{file}: no image and label but {', '.join(features or ['nothing'])}")
    classes = getattr(features["label"], "num_classes", None)
    if classes != description.classes:
        raise ValueError(f"{file}: {classes} classes, but {name} has {description.classes}")
    shape = features["image"].shape
    if description.shape is not None and shape != description.shape:
        raise ValueError(f"{file}: images of shape {shape}, but {name} has {description.shape}")


def _check_files(files: Sequence[Path], lengths: Sequence[int], again: str) -> None:
    for file, length in zip(files, lengths, strict=True):
        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing; {again}")
        reader = ArrayRecordReader(str(file))
        found = reader.num_records()
        if found != length:
            raise ValueError(f"{file}: {found} examples instead of {length}, damaged; {again}")
        reader.close()


def _decoded(encoded: bytes, description: Description) -> np.ndarray:
    shape = description.shape
    with Image.open(io.BytesIO(encoded)) as image:
        # Some of ImageNet's images are gray or in CMYK.
        pixels = np.asarray(image.convert("L" if shape and shape[-1] == 1 else "RGB"))
    if shape is None:
        return pixels
    if pixels.shape[:2] != shape[:2]:
        raise ValueError(f"an image of {pixels.shape[:2]} pixels, not {shape[:2]}")
    return pixels.reshape(shape)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
