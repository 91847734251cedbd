"""Real data sets for the tests: ArrayRecord files and a Tiny-ImageNet archive, all made here."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

CLASSES = {"mnist": 10, "cifar10": 10, "cifar100": 100, "tiny_imagenet": 200, "imagenet2012": 1000}
SHAPES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3), "cifar100": (32, 32, 3)}


class Pictures(tfds.core.GeneratorBasedBuilder):
    """Any images and labels, written as TensorFlow Datasets does."""

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, name: str, shape: tuple, classes: int, splits: dict, **options: Any) -> None:
        self.name, self.shape, self.classes, self.examples = name, shape, classes, splits
        super().__init__(**options)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=self.shape),
            "label": tfds.features.ClassLabel(num_classes=self.classes),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager
        return {split: self._generate_examples(split) for split in self.examples}

    def _generate_examples(self, split: str) -> Any:
        for number, (image, label) in enumerate(zip(*self.examples[split], strict=True)):
            yield number, {"image": encoded(image, "PNG"), "label": int(label)}


def write(
    folder: Path,
    name: str,
    splits: dict[str, tuple[Any, Any]],
    *,
    shape: tuple = (None, None, 3),
    classes: int,
) -> Path:
    """A prepared data set of these images and labels; the folder of its files."""
    builder = Pictures(
        name, shape, classes, splits, data_dir=str(folder), file_format="array_record"
    )
    builder.download_and_prepare()
    return Path(builder.data_dir)


def images(count: int, shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Noise, every image another."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def encoded(image: np.ndarray, encoding: str) -> bytes:
    """The image as the bytes of a PNG or JPEG file."""
    file = io.BytesIO()
    Image.fromarray(image.squeeze()).save(file, encoding)
    return file.getvalue()


def tiny_imagenet_files(validation: int = 8) -> dict[str, bytes]:
    """The official archive's files, with an image of each class to train on; the first is gray."""
    classes = [f"n{number:08d}" for number in range(200)]
    root, pictures = "tiny-imagenet-200", images(200 + validation, (64, 64, 3))
    # The file names the classes in another order than the alphabet.
    files = {f"{root}/wnids.txt": "\n".join(reversed(classes)).encode()}
    for number, label in enumerate(classes):
        picture = pictures[number, :, :, 0] if number == 0 else pictures[number]
        files[f"{root}/train/{label}/images/{label}_0.JPEG"] = encoded(picture, "JPEG")
    lines = [f"val_{n}.JPEG\t{classes[n * 7]}\t0\t0\t63\t63" for n in range(validation)]
    files[f"{root}/val/val_annotations.txt"] = "\n".join(lines).encode()
    for number in range(validation):
        name = f"{root}/val/images/val_{number}.JPEG"
        files[name] = encoded(pictures[200 + number], "JPEG")
    files[f"{root}/test/images/test_0.JPEG"] = encoded(pictures[0], "JPEG")
    return files


def write_zip(path: Path, files: dict[str, bytes]) -> None:
    """A zip archive of the files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
