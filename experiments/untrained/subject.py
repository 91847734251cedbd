"""An untrained network to prune and look at: which one, and its params by seed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

import synflow_jax as sf
from experiments.networks import create_network


@dataclass(frozen=True)
class Subject:
    """A network by its name, for images of a shape and a number of classes."""

    model: str
    input_shape: tuple[int, int, int]
    classes: int


SMALL = Subject("small-vgg", (8, 8, 1), 10)
VGG16_CIFAR100 = Subject("lottery/vgg16-bn", (32, 32, 3), 100)
VGG19_IMAGENET = Subject("imagenet/vgg19", (224, 224, 3), 1000)


class Untrained(NamedTuple):
    """A network before training.

    Attributes:
        apply_fn: the network in inference mode, the same for all seeds.
        params_of: ``key`` to params.
        inputs: SynFlow's, all ones.
    """

    apply_fn: Callable[..., Any]
    params_of: Callable[[jax.Array], Any]
    inputs: jax.Array


def subject_of(options: Any, standard: Subject) -> Subject:
    """``standard`` with what the options ``model``, ``input_shape``, ``classes`` put in its place;
    ValueError if there is no such network.
    """
    given = {name: getattr(options, name) for name in ("model", "input_shape", "classes")}
    subject = replace(standard, **{name: x for name, x in given.items() if x is not None})
    check_subject(subject)
    return subject


def check_subject(subject: Subject) -> None:
    """Raises ValueError if there is no such network."""
    nnx.eval_shape(lambda: _create(subject, jax.random.key(0)))


def untrained(subject: Subject) -> Untrained:
    """The network that the subject names."""
    apply_fn, _ = sf.from_nnx(_create(subject, jax.random.key(0)))
    return Untrained(
        apply_fn,
        lambda key: sf.from_nnx(_create(subject, key))[1],
        jnp.ones((1, *subject.input_shape)),
    )


def _create(subject: Subject, key: jax.Array) -> nnx.Module:
    return create_network(
        subject.model,
        classes=subject.classes,
        input_shape=subject.input_shape,
        rngs=nnx.Rngs(key),
    )
