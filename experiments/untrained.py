"""An untrained network to prune and look at: which one, its params by seed, and its scores."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from flax import nnx

import synflow_jax as sf
from experiments.create import create_network
from experiments.digits import class_batch
from experiments.methods import NEED_DATA, Method, score_fns

DataName = Literal["digits", "mnist", "cifar10", "cifar100", "tiny_imagenet"]


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
    names = ("model", "input_shape", "classes")
    subject = Subject(
        *(
            getattr(standard, name) if getattr(options, name) is None else getattr(options, name)
            for name in names
        )
    )
    nnx.eval_shape(lambda: _create(subject, jax.random.key(0)))
    return subject


def untrained(subject: Subject) -> Untrained:
    """The network that the subject names."""
    apply_fn, _ = sf.from_nnx(_create(subject, jax.random.key(0)))
    return Untrained(
        apply_fn,
        lambda key: sf.from_nnx(_create(subject, key))[1],
        jnp.ones((1, *subject.input_shape)),
    )


def default_methods(options: Any, subject: Subject) -> tuple[Method, ...]:
    """The options' methods, by default all, but without data those that need none."""
    has_data = options.data is not None or subject == SMALL
    return options.methods or tuple(
        method for method in get_args(Method) if has_data or method not in NEED_DATA
    )


def scoring_batches(
    options: Any, subject: Subject, methods: tuple[Method, ...]
) -> Callable[[jax.Array], Any]:
    """``key`` to the batch that SNIP and GraSP score with: some images of each class.

    None where no method needs it. By default it comes from the digits.

    Raises:
        ValueError: the images don't fit the network.
        FileNotFoundError, ModuleNotFoundError: the data set can't be read.
    """
    if not set(methods) & set(NEED_DATA):
        return lambda _: None
    from experiments.data import load, normalized

    data = load(options.data or "digits", options.data_dir)
    train: Any = data.train
    shape = train.shape
    if shape != subject.input_shape or data.classes > subject.classes:
        raise ValueError(
            f"{' and '.join(m for m in methods if m in NEED_DATA)} score with data: {data.name} "
            f"has images of shape {shape} and {data.classes} classes, {subject.model} takes "
            f"{subject.input_shape} and {subject.classes}; choose other --methods or --data"
        )

    def batch(key: jax.Array) -> Any:
        images, labels = class_batch(train, key, options.scoring_images)
        return normalized(data.preprocessing, images), labels

    return batch


def scores_of(
    options: Any, subject: Subject, methods: tuple[Method, ...]
) -> dict[Method, Callable[[], dict[str, jax.Array]]]:
    """For each method a function that scores the untrained network, nothing pruned yet.

    It gives the scores of each prunable parameter by its name. Errors are those of
    `scoring_batches`.
    """
    batch_of = scoring_batches(options, subject, methods)
    network_key, batch_key, score_key = jax.random.split(jax.random.key(options.seed), 3)
    network = untrained(subject)
    functions = score_fns(network.apply_fn, subject.input_shape)

    def score(method: Method) -> dict[str, jax.Array]:
        params = network.params_of(network_key)
        mask = sf.full_mask(params)
        score_fn = jax.jit(functions[method])
        scores = score_fn(params, mask, batch_of(batch_key), score_key)
        names = [row.name for row in sf.layer_table(mask, params).rows]
        kernels = [x for x, m in zip(*map(jax.tree.leaves, (scores, mask)), strict=True) if m.ndim]
        return dict(zip(names, kernels, strict=True))

    return {method: partial(score, method) for method in methods}


def check_paper_data(options: Any, name: str) -> None:
    """Raises ValueError if ``--paper-data`` is given and has no file of that name."""
    if options.paper_data is not None and not (Path(options.paper_data) / name).is_file():
        raise ValueError(f"--paper-data: there is no {name} in {options.paper_data}")


def _create(subject: Subject, key: jax.Array) -> nnx.Module:
    return create_network(
        subject.model,
        classes=subject.classes,
        input_shape=subject.input_shape,
        rngs=nnx.Rngs(key),
    )
