"""A network, a data set and a recipe together: what the trainings of an experiment share."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
from flax import nnx

import synflow_jax as sf
from experiments.data import DataSet, augmented, load, normalized
from experiments.networks import create_network
from experiments.runs.options import refuse
from experiments.training.recipes import Recipe, optimizer_of
from experiments.training.state import Network, Setup, split_network


class Task(NamedTuple):
    """What stays the same over the networks that an experiment trains.

    Attributes:
        setup: of training.
        make: a key to an untrained network.
        apply_fn: the network in inference mode.
        data: a data set on the device, or streamed.
        epochs: of each training.
    """

    setup: Setup
    make: Callable[[jax.Array], Network]
    apply_fn: Callable[[Any, Any], Any]
    data: Any
    epochs: int

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return self.data.train.size // self.setup.batch_size


def load_task(
    model: str, data: str, recipe: Recipe, data_dir: Path | None = None, *, augment: bool = True
) -> Task:
    """The task on a data set that's there; a missing or wrong one ends the program."""
    try:
        return make_task(model, load(data, data_dir), recipe, augment=augment)
    except (ModuleNotFoundError, FileNotFoundError, ValueError) as error:
        refuse(str(error))


def make_task(
    model: str,
    data: DataSet,
    recipe: Recipe,
    *,
    augment: bool = True,
    ready: bool = False,
    compute_dtype: Any = None,
) -> Task:
    """The task.

    Args:
        model: a name of `experiments.networks`.
        data: what to train and to test on.
        recipe: how to train.
        augment: crop and mirror training images as the data set asks.
        ready: images are the network's inputs already; nothing is done to them.
        compute_dtype: as in `Setup`.

    Raises:
        ValueError: there is no such network, or the data don't fill a batch.
    """
    if recipe.batch_size > data.train.size:
        raise ValueError(f"--batch-size is {recipe.batch_size}, more than {data.train.size} images")

    def create(key: jax.Array) -> nnx.Module:
        shape: Any = data.train.shape
        return create_network(model, classes=data.classes, input_shape=shape, rngs=nnx.Rngs(key))

    def as_they_are(images: jax.Array) -> jax.Array:
        return images

    untrained = create(jax.random.key(0))
    plain = as_they_are if ready else partial(normalized, data.preprocessing)
    changed = partial(augmented, data.preprocessing)
    setup = Setup(
        split_network(untrained)[0],
        optimizer_of(recipe, data.train.size // recipe.batch_size),
        changed if augment and not ready else lambda images, _: plain(images),
        plain,
        recipe.batch_size,
        compute_dtype,
    )

    def make(key: jax.Array) -> Network:
        return split_network(create(key))[1]

    return Task(setup, make, sf.from_nnx(untrained)[0], data, recipe.epochs)
