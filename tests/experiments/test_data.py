"""Small data sets: what is read, how it is augmented, and what is said of damage."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from data_sets import CLASSES, SHAPES, images, write

from experiments.data import Preprocessing, augmented, load, normalized
from experiments.data.catalog import DATA_SETS
from experiments.data.digits import digits


def write_small(folder: Path, name: str, count: int = 12) -> tuple[Path, dict]:
    splits = {
        split: (images(count, SHAPES[name], seed), np.arange(count) * 7 % CLASSES[name])
        for seed, split in enumerate(("train", "test"))
    }
    written = write(folder, name, splits, shape=SHAPES[name], classes=CLASSES[name])
    return written, splits


@pytest.fixture
def cifar10(tmp_path: Path) -> Path:
    return write_small(tmp_path, "cifar10")[0]


@pytest.mark.parametrize("name", list(SHAPES))
def test_load_reads_what_was_written(name: str, tmp_path: Path) -> None:
    _, splits = write_small(tmp_path, name)
    data = load(name, tmp_path)
    assert (data.name, data.classes) == (name, CLASSES[name])
    assert (data.preprocessing.padding, data.preprocessing.flip) == (
        (0, False) if name == "mnist" else (4, True)
    )
    for examples, (pictures, labels) in zip(data[3:], splits.values(), strict=True):
        assert (examples.images.dtype, examples.labels.dtype) == (np.uint8, np.int32)
        read = {x.tobytes(): int(y) for x, y in zip(*map(np.asarray, examples), strict=True)}
        assert read == {x.tobytes(): int(y) for x, y in zip(pictures, labels, strict=True)}
    again = load(name, tmp_path)
    np.testing.assert_array_equal(data.train.labels, again.train.labels)
    np.testing.assert_array_equal(data.train.images, again.train.images)


def test_digits_are_those_of_the_single_shot_experiment() -> None:
    data = load("digits")
    for examples, expected in zip(data[3:], digits(), strict=True):
        pictures = normalized(data.preprocessing, examples.images)
        np.testing.assert_allclose(pictures, expected.images, atol=1e-6)
        np.testing.assert_array_equal(examples.labels, expected.labels)
    assert data.train.images.max() == 16


def test_newest_version_is_read(tmp_path: Path) -> None:
    older, splits = write_small(tmp_path, "mnist")
    newer = older.with_name("10.0.0")
    other = {split: (x[:5], y[:5]) for split, (x, y) in splits.items()}
    write(tmp_path / "other", "mnist", other, shape=SHAPES["mnist"], classes=10).rename(newer)
    file = newer / "dataset_info.json"
    file.write_text(file.read_text().replace("1.0.0", "10.0.0"))
    assert len(load("mnist", tmp_path).train.labels) == 5


@pytest.mark.parametrize("channels", [1, 3])
def test_normalized_agrees_with_numpy(channels: int) -> None:
    preprocessing = Preprocessing((0.2, 0.4, 0.6)[:channels], (0.3, 0.5, 0.7)[:channels])
    pictures = images(4, (6, 5, channels))
    expected = (pictures / 255.0 - preprocessing.mean) / preprocessing.deviation
    got = jax.jit(normalized, static_argnums=0)(preprocessing, pictures)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"images must be \(n, height, width"):
        normalized(preprocessing, pictures[..., None])


RAW = Preprocessing((0.0,) * 3, (1 / 255,) * 3, padding=4, flip=True)


def test_augmented_images_are_shifted_mirrored_and_padded_with_black() -> None:
    # One picture many times: each result must be one of the 9 x 9 x 2 that NumPy cuts.
    (picture,) = images(1, (8, 8, 3))
    padded = np.pad(picture, ((4, 4), (4, 4), (0, 0)))
    crops = {(y, x): padded[y : y + 8, x : x + 8] for y in range(9) for x in range(9)}
    known = {crop.tobytes(): (*corner, 0) for corner, crop in crops.items()}
    known |= {crop[:, ::-1].tobytes(): (*corner, 1) for corner, crop in crops.items()}
    count = 9 * 9 * 2 * 40
    batch = np.broadcast_to(picture, (count, 8, 8, 3))
    got = np.asarray(jax.jit(augmented, static_argnums=0)(RAW, batch, jax.random.key(0)))
    drawn = np.array([known[image.tobytes()] for image in got.round().astype(np.uint8)])
    counts = np.zeros((9, 9, 2), int)
    np.add.at(counts, tuple(drawn.T), 1)
    # Chi-squared has mean 161 and deviation 18 for uniform draws.
    assert ((counts - 40) ** 2 / 40).sum() < 161 + 5 * 18
    assert abs(drawn[:, 2].mean() - 0.5) < 5 * 0.5 / np.sqrt(count)


def test_augmentation_follows_the_key_and_needs_none_where_nothing_is_random() -> None:
    pictures = images(16, (8, 8, 3))
    first, again, other = (augmented(RAW, pictures, jax.random.key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    plain = Preprocessing(RAW.mean, RAW.deviation)
    unchanged = augmented(plain, pictures, jax.random.key(0))
    np.testing.assert_array_equal(unchanged, normalized(plain, pictures))


def test_missing_data_set_names_the_command(tmp_path: Path) -> None:
    command = f"python -m experiments.prepare cifar10 --data-dir {tmp_path}"
    with pytest.raises(FileNotFoundError, match=command):
        load("cifar10", tmp_path)


def test_names_that_cannot_be_loaded() -> None:
    with pytest.raises(ValueError, match=f"no data set 'svhn'; there are {', '.join(DATA_SETS)}"):
        load("svhn")
    with pytest.raises(ValueError, match="too large"):
        load("imagenet2012")


def records_file(folder: Path) -> Path:
    (file,) = folder.glob("*train*array_record*")
    return file


@pytest.mark.parametrize("left", [0, 1000, -100])
def test_truncated_file_is_named(left: int, cifar10: Path) -> None:
    file = records_file(cifar10)
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(ValueError, match=f"{file}: 0 examples instead of 12, damaged"):
        load("cifar10", cifar10.parents[1])


def test_damaged_record_is_named(cifar10: Path) -> None:
    file = records_file(cifar10)
    content = bytearray(file.read_bytes())
    content[7000] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{file}: example \d+ can't be read"):
        load("cifar10", cifar10.parents[1])


def test_missing_file_is_named(cifar10: Path) -> None:
    file = records_file(cifar10)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=f"{file} is missing; delete {cifar10} and run"):
        load("cifar10", cifar10.parents[1])


def test_damaged_descriptions_are_named(cifar10: Path) -> None:
    features, info = cifar10 / "features.json", cifar10 / "dataset_info.json"
    whole = info.read_text()
    info.write_text(whole.replace('"train"', '"training"'))
    with pytest.raises(ValueError, match=f"{info}: no split 'train' but"):
        load("cifar10", cifar10.parents[1])
    info.write_text(whole[:50])
    with pytest.raises(ValueError, match=f"{info}: "):
        load("cifar10", cifar10.parents[1])
    info.write_text(whole)
    description = json.loads(features.read_text())
    del description["featuresDict"]["features"]["label"]
    features.write_text(json.dumps(description))
    with pytest.raises(ValueError, match=f"{features}: no image and label but image"):
        load("cifar10", cifar10.parents[1])
    features.unlink()
    with pytest.raises(FileNotFoundError, match=f"{features} is missing"):
        load("cifar10", cifar10.parents[1])


def test_another_data_set_under_the_name_is_refused(tmp_path: Path) -> None:
    splits = {split: (images(4, (28, 28, 1)), range(4)) for split in ("train", "test")}
    written = write(tmp_path, "cifar10", splits, shape=(28, 28, 1), classes=10)
    file = written / "features.json"
    with pytest.raises(ValueError, match=rf"{file}: images of shape \(28, 28, 1\), but cifar10"):
        load("cifar10", tmp_path)
    write(tmp_path, "mnist", splits, shape=(28, 28, 1), classes=47)
    with pytest.raises(ValueError, match=r"features\.json: 47 classes, but mnist has 10"):
        load("mnist", tmp_path)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_image_of_another_size_is_named(tmp_path: Path) -> None:
    pictures = [np.zeros((28, 28, 1), np.uint8), np.zeros((28, 27, 1), np.uint8)]
    splits = {split: (pictures, [0, 1]) for split in ("train", "test")}
    written = write(tmp_path, "mnist", splits, shape=(None, None, 1), classes=10)
    edit(written / "features.json", '"-1"', '"28"')
    named = rf"{records_file(written)}: example \d can't be read: an image of \(28, 27\) pixels"
    with pytest.raises(ValueError, match=named):
        load("mnist", tmp_path)


def test_label_out_of_range_is_named(tmp_path: Path) -> None:
    splits = {split: (images(2, (28, 28, 1)), [0, 40]) for split in ("train", "test")}
    written = write(tmp_path, "mnist", splits, shape=(28, 28, 1), classes=47)
    edit(written / "features.json", '"47"', '"10"')
    named = rf"{records_file(written)}: example \d has label 40 of 10 classes"
    with pytest.raises(ValueError, match=named):
        load("mnist", tmp_path)


def test_other_file_format_is_refused(cifar10: Path) -> None:
    edit(cifar10 / "dataset_info.json", '"array_record"', '"tfrecord"')
    with pytest.raises(ValueError, match="the format is tfrecord, not array_record"):
        load("cifar10", cifar10.parents[1])


def test_reading_imports_no_tensorflow(cifar10: Path) -> None:
    program = f"""
import sys
from pathlib import Path
import experiments.data, experiments.data.streaming, experiments.training, grain
assert "tensorflow_datasets" not in sys.modules
experiments.data.load("cifar10", Path({str(cifar10.parents[1])!r}))
assert "tensorflow_datasets" in sys.modules
assert not any(name.split(".")[0] == "tensorflow" for name in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
