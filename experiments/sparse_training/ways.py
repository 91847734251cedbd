"""The ways of sparse training that are compared. To add one, add its row to `WAYS`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import synflow_jax as sf
from experiments.method_table import Style, score_fns
from experiments.training import Setup, Task

Start = Literal["dense", "random", "synflow"]


class Asked(NamedTuple):
    """What a way of training is made for.

    Attributes:
        task: what to train on and how.
        compression: weights before / weights after.
        fraction: of the weights that rewiring exchanges at first.
        strength: of the penalty on lost flow.
        key: for random scores.
    """

    task: Task
    compression: float
    fraction: float
    strength: float
    key: jax.Array

    @property
    def total(self) -> int:
        """Steps of the training."""
        return self.task.epochs * self.task.steps


class Way(NamedTuple):
    """A way of sparse training.

    Attributes:
        style: how it looks in figures.
        start: the mask of the first step.
        setup: the task's setup with what changes the mask; that mask is its second argument.
        mask_fn: what makes the mask of params, where it isn't in the optimizer's state.
    """

    style: Style
    start: Start
    setup: Callable[[Asked, Any], Setup]
    mask_fn: Callable[[Asked], Callable[[Any], Any]] | None = None


def static(asked: Asked, mask: Any) -> Setup:
    """The mask stays."""
    del mask
    return asked.task.setup


def gradual(method: str) -> Callable[[Asked, Any], Setup]:
    """Weights are pruned from the first tenth of the training to the third quarter.

    ``method`` is "saliency", or one of all studies that needs no data.
    """

    def setup(asked: Asked, mask: Any) -> Setup:
        del mask
        shape = asked.task.data.train.shape
        scores = score_fns(asked.task.apply_fn, shape) | {"saliency": sf.saliency()}
        changing = sf.prune_gradually(
            asked.task.setup.optimizer,
            scores[method],
            asked.compression,
            begin=asked.total // 10,
            end=3 * asked.total // 4,
            every=max(1, asked.task.steps // 2),
            key=asked.key,
        )
        return asked.task.setup._replace(changing=changing)

    return setup


def with_flow(asked: Asked, mask: Any) -> Setup:
    """Magnitudes are pruned gradually while the loss asks for flow."""

    def around(loss_fn: Any) -> Any:
        def penalized(params: Any) -> Any:
            loss, more = loss_fn(params)
            ones = jnp.ones((1, *asked.task.data.train.shape))
            flow = sf.flow(asked.task.apply_fn, params, ones)
            return loss - asked.strength * flow.log2, more

        return penalized

    return gradual("magnitude")(asked, mask)._replace(around=around)


def rewired(grow: Literal["gradient", "random"]) -> Callable[[Asked, Any], Setup]:
    """In every tenth step some weights are exchanged, up to the third quarter of the training."""

    def setup(asked: Asked, mask: Any) -> Setup:
        changing = sf.rewire(
            asked.task.setup.optimizer,
            mask,
            every=10,
            end=3 * asked.total // 4,
            fraction=asked.fraction,
            grow=grow,
            key=asked.key,
        )
        return asked.task.setup._replace(changing=changing)

    return setup


def highest(asked: Asked) -> Callable[[Any], Any]:
    """Params to the mask of their highest magnitudes."""
    options = {"schedule": sf.exponential, "select": sf.global_top_k}
    like = jax.eval_shape(asked.task.make, asked.key).params
    whole = jax.tree.map(lambda p: np.ones(p.shape if p.ndim > 1 else (), bool), like)
    counts = sf.round_counts(whole, asked.compression, 1, **options)

    def mask_fn(params: Any) -> Any:
        return sf.prune_rounds(sf.magnitude(), params, sf.full_mask(params), counts)[0]

    return mask_fn


def passed_through(asked: Asked, mask: Any) -> Setup:
    """The forward pass has the highest magnitudes alone, and all weights train."""
    del mask
    mask_fn = highest(asked)

    def around(loss_fn: Any) -> Any:
        return lambda params: loss_fn(sf.straight_through(mask_fn, params))

    return asked.task.setup._replace(around=around)


WAYS = {
    "static-random": Way(Style("random mask (ERK)", "#999999", "v"), "random", static),
    "static-synflow": Way(Style("SynFlow's mask", "#D55E00", "o"), "synflow", static),
    "set": Way(Style("SET", "#56B4E9", "<"), "random", rewired("random")),
    "rigl": Way(Style("RigL", "#0072B2", "s"), "random", rewired("gradient")),
    "rigl-synflow": Way(
        Style("RigL from SynFlow's mask", "#882255", "P"), "synflow", rewired("gradient")
    ),
    "gradual-random": Way(Style("gradual, random", "#555555", "x"), "dense", gradual("random")),
    "gradual-synflow": Way(Style("gradual, SynFlow", "#E69F00", "^"), "dense", gradual("synflow")),
    "gradual-saliency": Way(
        Style("gradual, saliency", "#009E73", "D"), "dense", gradual("saliency")
    ),
    "gradual-magnitude": Way(
        Style("gradual, magnitude", "#CC79A7", "h"), "dense", gradual("magnitude")
    ),
    "gradual-flow": Way(
        Style("gradual, magnitude, keeping flow", "#117733", "*"), "dense", with_flow
    ),
    "straight-through": Way(
        Style("straight-through, magnitude", "#000000", "+"), "dense", passed_through, highest
    ),
}

ALL_WAYS = tuple(WAYS)

# A command line offers the names of the table; to a type checker they are any text.
if TYPE_CHECKING:
    WayName = str
else:
    WayName = Literal[ALL_WAYS]
