"""Preparing Tiny-ImageNet from an archive in the official layout, and the command's errors."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from data_sets import tiny_imagenet_files, write_zip

from experiments.data import load
from experiments.prepare import main

ROOT = "tiny-imagenet-200"
ZIP = f"{ROOT}.zip"


def test_tiny_imagenet_from_its_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_zip(tmp_path / "downloads" / "manual" / ZIP, tiny_imagenet_files())
    main(["tiny_imagenet", "--data-dir", str(tmp_path)])
    assert "has 200 training and 8 test images" in capsys.readouterr().out
    data = load("tiny_imagenet", tmp_path)
    assert data.train.images.shape == (200, 64, 64, 3)
    # Labels number the classes in alphabetical order; each has one image.
    assert sorted(data.train.labels.tolist()) == list(range(200))
    assert sorted(data.test.labels.tolist()) == [number * 7 for number in range(8)]
    gray = data.train.images[data.train.labels.tolist().index(0)]
    np.testing.assert_array_equal(gray[..., 0], gray[..., 2])


def without_annotation(files: dict[str, bytes]) -> None:
    files[f"{ROOT}/val/val_annotations.txt"] = files[f"{ROOT}/val/val_annotations.txt"][:-30]


def with_unknown_label(files: dict[str, bytes]) -> None:
    name = f"{ROOT}/val/val_annotations.txt"
    files[name] = files[name].replace(b"n00000007", b"n99999999")


def with_another_class(files: dict[str, bytes]) -> None:
    files[f"{ROOT}/train/n99999999/images/x.JPEG"] = b"x"


def with_few_classes(files: dict[str, bytes]) -> None:
    files[f"{ROOT}/wnids.txt"] = files[f"{ROOT}/wnids.txt"][:-20]


def without_a_picture(files: dict[str, bytes]) -> None:
    del files[f"{ROOT}/val/images/val_3.JPEG"]


def without_labels(files: dict[str, bytes]) -> None:
    del files[f"{ROOT}/val/val_annotations.txt"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_annotation, "val_annotations.txt and tiny-imagenet-200/val/images/ differ in 1"),
        (with_unknown_label, "val_annotations.txt, line 2: no class 'n99999999'"),
        (with_another_class, "train/ and tiny-imagenet-200/wnids.txt differ in 1: n99999999"),
        (with_few_classes, "wnids.txt has 198 classes instead of 200"),
        (without_a_picture, "differ in 1 images: tiny-imagenet-200/val/images/val_3.JPEG"),
        (without_labels, "val_annotations.txt is missing"),
    ],
)
def test_wrong_archives_are_named(
    change: object, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = tiny_imagenet_files()
    change(files)
    write_zip(tmp_path / ZIP, files)
    assert words in error_of(["--data-dir", str(tmp_path / "sets")], tmp_path, capsys)


def error_of(args: list[str], manual: Path, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["tiny_imagenet", *args, "--manual-dir", str(manual)])
    assert caught.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: can't prepare tiny_imagenet: {manual / ZIP}")
    return line


def test_truncated_and_damaged_archives_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["--data-dir", str(tmp_path / "sets")]
    path = tmp_path / ZIP
    write_zip(path, tiny_imagenet_files())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "truncated" in error_of(args, tmp_path, capsys)
    damaged = bytearray(whole)
    damaged[whole.index(b"n00000005_0.JPEG") + 400] ^= 1
    path.write_bytes(damaged)
    assert "n00000005_0.JPEG is damaged" in error_of(args, tmp_path, capsys)
    path.rename(tmp_path / "other.zip")
    assert "is missing" in error_of(args, tmp_path, capsys)


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed"
)
def test_missing_tensorflow_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cifar10"])
    needs = "error: preparing cifar10 needs tensorflow; get it with: pip install "
    assert capsys.readouterr().err.startswith(needs)


def test_only_sets_that_can_be_prepared_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["digits"])
    (line,) = capsys.readouterr().err.splitlines()
    assert "tiny_imagenet" in line
