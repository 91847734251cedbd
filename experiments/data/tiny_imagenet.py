"""Tiny-ImageNet for TensorFlow Datasets, whose catalogue doesn't have it."""

import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

CLASSES = 200
ARCHIVE = "tiny-imagenet-200.zip"
_ROOT = "tiny-imagenet-200"
_CLASS_FILE = f"{_ROOT}/wnids.txt"
_LABEL_FILE = f"{_ROOT}/val/val_annotations.txt"

Pictures = Mapping[str, str]
"""The class of each image, by its path in the archive."""


class TinyImagenet(tfds.core.GeneratorBasedBuilder):
    """Splits train and validation; the archive's test images have no labels.

    Labels are the WordNet ids in alphabetical order. Images are copied as they are, so no
    TensorFlow is needed.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    manual_dir should contain {ARCHIVE} (http://cs231n.stanford.edu/{ARCHIVE}).
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="ImageNet in small: 200 classes of 500 images of 64 x 64 pixels.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(64, 64, 3), encoding_format="jpeg"),
                    "label": tfds.features.ClassLabel(num_classes=CLASSES),
                    "file_name": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
            homepage=f"http://cs231n.stanford.edu/{ARCHIVE}",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        path = Path(dl_manager.manual_dir) / ARCHIVE
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing")
        classes, train, validation = read_labels(path)
        features: Any = self.info.features
        features["label"].names = classes
        return {
            "train": self._generate_examples(path, train),
            "validation": self._generate_examples(path, validation),
        }

    def _generate_examples(
        self, path: Path, pictures: Pictures
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        with zipfile.ZipFile(path) as archive:
            for picture, label in pictures.items():
                name = posixpath.basename(picture)
                image = _read(archive, picture)
                yield name, {"image": image, "label": label, "file_name": name}


def read_labels(path: Path) -> tuple[list[str], Pictures, Pictures]:
    """The classes in order, and the training and validation images with their classes.

    Raises:
        ValueError: if the file is no whole zip, there aren't 200 classes, a class has no image,
            or an image no label or an unknown one.
    """
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path}: {error}; it may be truncated") from error
    with archive:
        classes = sorted(_lines(archive, _CLASS_FILE))
        if len(set(classes)) != CLASSES or len(classes) != CLASSES:
            found = len(set(classes))
            raise ValueError(f"{path}: {_CLASS_FILE} has {found} classes instead of {CLASSES}")
        pictures = [name for name in archive.namelist() if name.endswith(".JPEG")]
        return classes, _training(path, pictures, classes), _validation(archive, pictures, classes)


def _training(path: Path, pictures: list[str], classes: list[str]) -> Pictures:
    folder = f"{_ROOT}/train/"
    labels = {x: x.removeprefix(folder).split("/")[0] for x in pictures if x.startswith(folder)}
    if unlike := set(labels.values()) ^ set(classes):
        listed = " ".join(sorted(unlike)[:3])
        raise ValueError(f"{path}: {folder} and {_CLASS_FILE} differ in {len(unlike)}: {listed}")
    return labels


def _validation(archive: zipfile.ZipFile, pictures: list[str], classes: list[str]) -> Pictures:
    folder = f"{_ROOT}/val/images/"
    labels = {}
    for number, line in enumerate(_lines(archive, _LABEL_FILE), start=1):
        name, label, *_ = [*line.split("\t"), ""]
        if label not in classes:
            place = f"{archive.filename}: {_LABEL_FILE}, line {number}"
            raise ValueError(f"{place}: no class {label!r} in {_CLASS_FILE}")
        labels[folder + name] = label
    if unlike := set(labels) ^ {x for x in pictures if x.startswith(folder)}:
        listed = " ".join(sorted(unlike)[:3])
        place = f"{archive.filename}: {_LABEL_FILE} and {folder}"
        raise ValueError(f"{place} differ in {len(unlike)} images: {listed}")
    return labels


def _lines(archive: zipfile.ZipFile, name: str) -> list[str]:
    try:
        return _read(archive, name).decode().splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{archive.filename}: {name} is no text") from error


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except KeyError as error:
        raise ValueError(f"{archive.filename}: {name} is missing") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{archive.filename}: {name} is damaged: {error}") from error
