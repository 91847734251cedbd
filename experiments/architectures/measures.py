"""What is computed of each architecture, by name."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import synflow_jax as sf
from experiments.architectures.options import Asked, Options
from experiments.data import load

CLASSES = 10


class Measured(NamedTuple):
    """A measure, the names of its numbers, and whether it has gradients of kernels.

    Attributes:
        names: of what it returns.
        measure: for `synflow_jax.rank`.
        gradients: then one network is computed at a time.
    """

    names: tuple[str, ...]
    measure: Callable[[Any, Any, Any], Any]
    gradients: bool


def make_measure(asked: Asked, network: sf.models.SuperNetwork) -> Measured:
    """The measure that an option names, of a super network."""
    ones, loss = jnp.ones((1, 32, 32, 3)), sf.cross_entropy
    if asked == "synflow":
        names = ("flow", "synflow", "depth")
        return Measured(names, sf.flow_totals(network.log2_flow_fn, ones), gradients=False)
    if asked == "naswot":
        return Measured((asked,), sf.naswot(network.patterns_fn), gradients=False)
    if asked == "logsynflow":
        measure = sf.log_synflow_total(network.log2_flow_fn, ones)
    elif asked == "gradient_norm":
        measure = sf.gradient_norm(network.training_fn, loss)
    else:
        scores = {
            "snip": lambda apply_fn: sf.snip(loss(apply_fn)),
            "grasp": lambda apply_fn: sf.grasp(loss(apply_fn)),
            "fisher": lambda apply_fn: sf.fisher(loss(apply_fn)),
        }
        # Fisher takes single images, where a batch's own statistics say little.
        forward = network.apply_fn if asked == "fisher" else network.training_fn
        measure = sf.score_total(forward, scores[asked])
    return Measured((asked,), measure, gradients=True)


def super_network(seed: int, index: int) -> sf.models.SuperNetwork:
    """The super network of one initialization."""
    key = jax.random.fold_in(jax.random.key(seed), index)
    return sf.models.nasbench201(num_classes=CLASSES, input_shape=(32, 32, 3), rngs=nnx.Rngs(key))


def scoring_batch(options: Options, index: int) -> tuple[jax.Array, jax.Array]:
    """Digits as gray images of three channels, standardized, and their labels."""
    train: Any = load("digits").train
    rng = np.random.default_rng((options.seed, index))
    chosen = rng.permutation(len(train.labels))[: options.scoring_images]
    images = np.asarray(train.images)[chosen].astype(np.float32)
    images = (images - images.mean()) / images.std()
    times = options.scoring_size // images.shape[1]
    enlarged = np.kron(images, np.ones((1, times, times, 3), np.float32))
    return jnp.asarray(enlarged), jnp.asarray(np.asarray(train.labels)[chosen])


def values_of(
    measured: Measured, params: Any, choices: np.ndarray, batch: Any, chunk: int
) -> dict[str, np.ndarray]:
    """What a measure says of some architectures, by name."""
    size = 1 if measured.gradients else chunk
    found = sf.rank(measured.measure, params, choices, batch=batch, chunk=size)
    arrays = [found] if len(measured.names) == 1 else list(found)
    return dict(zip(measured.names, map(partial(np.asarray, dtype=float), arrays), strict=True))
