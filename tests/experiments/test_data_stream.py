"""The stream of large data sets: order, going on from a state, shards, crops and errors."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from data_sets import images, write
from flax import nnx

import synflow_jax as sf
from experiments.data import Batch, Examples, first_of_each, normalized, stream, streamed
from experiments.data.crops import center_crop, random_crop
from experiments.training import (
    EpochRow,
    Recipe,
    Setup,
    TrainState,
    evaluate,
    fit,
    init_state,
    sgd,
    split_network,
)

COUNT = 22


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of many sizes whose labels are their numbers."""
    folder = tmp_path_factory.mktemp("sets")
    pictures = [images(1, (20 + n, 30, 3), n)[0] for n in range(COUNT)]
    splits = {split: (pictures, range(COUNT)) for split in ("train", "validation")}
    write(folder, "imagenet2012", splits, classes=1000)
    return folder


def open_stream(folder: Path, **options: Any) -> Any:
    defaults: dict[str, Any] = {"split": "train", "batch_size": 4, "seed": 0}
    return stream("imagenet2012", folder, **{**defaults, **options})


def numbers(batches: Any) -> list[int]:
    return [label for batch in batches for label in batch.labels.tolist()]


def assert_same(got: list[Any], expected: list[Any]) -> None:
    for batch, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(batch.images, other.images)
        np.testing.assert_array_equal(batch.labels, other.labels)


def test_order_comes_from_the_seed_and_changes_with_the_epoch(folder: Path) -> None:
    first, again, other = (list(open_stream(folder, epochs=2, seed=seed)) for seed in (1, 1, 2))
    assert first[0].images.shape == (4, 224, 224, 3)
    assert (first[0].images.dtype, first[0].labels.dtype) == (np.uint8, np.int32)
    assert_same(first, again)
    assert numbers(first) != numbers(other)
    one, two = numbers(first[:5]), numbers(first[5:])
    assert len(set(one)) == len(one) == len(set(two)) == len(two) == 20
    assert one != two


def test_test_images_come_in_order_without_chance(folder: Path) -> None:
    batches = list(open_stream(folder, split="test"))
    assert [len(batch.labels) for batch in batches] == [4, 4, 4, 4, 4, 2]
    assert sorted(numbers(batches)) == list(range(COUNT))
    assert_same(list(open_stream(folder, split="test", seed=7)), batches)


def test_goes_on_from_a_saved_state(folder: Path) -> None:
    batches = open_stream(folder, epochs=None)
    for _ in range(3):
        next(batches)
    state = json.dumps(batches.get_state())
    expected = [next(batches) for _ in range(7)]
    continued = open_stream(folder, epochs=None)
    continued.set_state(json.loads(state))
    assert_same([next(continued) for _ in range(7)], expected)


def test_worker_processes_change_nothing(folder: Path) -> None:
    expected = list(open_stream(folder, epochs=2))
    batches = open_stream(folder, epochs=2, workers=1)
    got = [next(batches) for _ in range(4)]
    state = json.dumps(batches.get_state())
    got += list(batches)
    assert_same(got, expected)
    batches.set_state(json.loads(state))
    assert_same(list(batches), expected[4:])
    batches.close()


def test_shards_share_out_every_example_once(folder: Path) -> None:
    tested = [numbers(open_stream(folder, split="test", shard=(i, 3))) for i in range(3)]
    assert sorted(tested[0] + tested[1] + tested[2]) == list(range(COUNT))
    trained = [list(open_stream(folder, batch_size=2, shard=(i, 3))) for i in range(3)]
    # The hosts step together: as many batches each, 22 // (3 * 2).
    assert [len(batches) for batches in trained] == [3] * 3
    seen = numbers(trained[0] + trained[1] + trained[2])
    assert len(set(seen)) == len(seen) == 18


def test_center_crop_is_the_middle_seven_eighths() -> None:
    picture = np.zeros((256, 300, 3), np.uint8)
    picture[16:240, 38:262] = images(1, (224, 224, 3))[0]
    np.testing.assert_array_equal(center_crop(picture), picture[16:240, 38:262])
    gradient = np.broadcast_to(np.arange(128, dtype=np.uint8)[:, None, None], (128, 128, 3))
    # Row r of the result shows row 8 + (r + 1/2) / 2 - 1/2 of the picture.
    expected = 8 + (np.arange(224) + 0.5) / 2 - 0.5
    assert np.abs(center_crop(gradient)[:, 0, 0] - expected).max() <= 0.51


def test_random_crops_have_the_areas_shapes_and_mirrors_of_the_recipe() -> None:
    # Colors tell the place: red grows to the right, green downward.
    side = 250
    picture = np.zeros((side, side, 3), np.uint8)
    picture[..., 0], picture[..., 1] = np.arange(side), np.arange(side)[:, None]
    generator = np.random.default_rng(0)
    crops = np.array([random_crop(picture, generator) for _ in range(400)]).astype(float)
    widths = (crops[:, 112, -10, 0] - crops[:, 112, 9, 0]) * 224 / 205
    heights = (crops[:, -10, 112, 1] - crops[:, 9, 112, 1]) * 224 / 205
    assert abs((widths < 0).mean() - 0.5) < 5 * 0.5 / np.sqrt(400)
    areas, shapes = np.abs(widths) * heights / side**2, np.abs(widths) / heights
    assert 0.07 < areas.min() < 0.12
    assert areas.max() <= 1.01
    # Uniform areas from 8% to 100%, but the largest fit in few shapes.
    assert 0.45 < areas.mean() < 0.54
    assert 0.72 < shapes.min() < 0.8
    assert 1.25 < shapes.max() < 1.38
    assert abs(np.log(shapes).mean()) < 0.05


def test_long_pictures_are_cropped_in_the_middle() -> None:
    picture = np.zeros((10, 1000, 3), np.uint8)
    picture[:, 493:507] = 255
    assert (random_crop(picture, np.random.default_rng(0))[:, 8:-8] == 255).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size must be >= 1, got 0"),
        ({"batch_size": 23}, "1 batches of 23, but only 22 images"),
        ({"workers": -1}, "workers must be >= 0, got -1"),
        ({"epochs": 0}, "epochs must be >= 1 or None, got 0"),
        ({"shard": (2, 2)}, r"shard must be .* got \(2, 2\)"),
        ({"split": "validation"}, "split must be train or test, got 'validation'"),
    ],
)
def test_arguments_out_of_range(options: dict[str, Any], words: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=words):
        open_stream(folder, **options)


def test_small_and_missing_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="small enough"):
        stream("cifar10", tmp_path, split="train", batch_size=1, seed=0)
    with pytest.raises(FileNotFoundError, match=r"experiments\.prepare imagenet2012"):
        open_stream(tmp_path)


def test_damaged_record_is_named_while_streaming(tmp_path: Path) -> None:
    pictures = images(3, (40, 40, 3))
    splits = {split: (pictures, range(3)) for split in ("train", "validation")}
    (file,) = write(tmp_path, "imagenet2012", splits, classes=1000).glob("*validation*")
    content = bytearray(file.read_bytes())
    content[7000] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{file}: example \d can't be read"):
        list(open_stream(tmp_path, split="test"))


class Pixels(nnx.Module):
    """A dense layer on the mean color."""

    def __init__(self, rngs: nnx.Rngs):
        self.layer = nnx.Linear(3, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.layer(x.mean(axis=(1, 2)))


@pytest.mark.usefixtures("others_promote")
def test_training_goes_on_as_if_never_stopped(folder: Path, tmp_path: Path) -> None:
    data = streamed("imagenet2012", folder, batch_size=4, seed=0)
    assert (data.train.shape, data.train.size) == ((224, 224, 3), COUNT)
    model = Pixels(nnx.Rngs(0))
    graph, network = split_network(model)
    prepare = partial(normalized, data.preprocessing)
    optimizer = sgd(Recipe(2, 0.1, batch_size=4), COUNT // 4)
    setup = Setup(graph, optimizer, lambda images, _: prepare(images), prepare, 4)

    def trained(run: str, epochs: int) -> tuple[TrainState, list[EpochRow]]:
        mask, _ = sf.prune(sf.magnitude(), network.params, 2.0, rounds=1)
        state = init_state(setup, network, mask, jax.random.key(0))
        return fit(setup, state, data.train, data.test, epochs=epochs, folder=tmp_path / run)

    whole, rows = trained("whole", 2)
    trained("parts", 1)
    parts, again = trained("parts", 2)
    assert rows == again
    chex.assert_trees_all_equal(whole.params, parts.params)

    # Each of the 22 test images counts once, the last batch of 2 too.
    images = np.concatenate([batch.images for batch in data.test.batches(0)])
    labels = np.concatenate([batch.labels for batch in data.test.batches(0)])
    on_device = evaluate(setup, whole, Examples(jnp.asarray(images), jnp.asarray(labels)))
    np.testing.assert_allclose(rows[-1].test_loss, on_device.loss, rtol=1e-6)


def test_first_of_each_class(folder: Path) -> None:
    batches = list(open_stream(folder, split="test"))
    labels = [batch.labels % 3 for batch in batches]
    batches = [Batch(batch.images, each) for batch, each in zip(batches, labels, strict=True)]
    chosen = first_of_each(iter(batches), per_class=2, classes=3)
    assert sorted(chosen.labels.tolist()) == [0, 0, 1, 1, 2, 2]
