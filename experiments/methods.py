"""The methods that experiments compare. To add one, add its row to `METHODS`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax.numpy as jnp

import synflow_jax as sf

ScoreFn = Callable[..., Any]


class Style(NamedTuple):
    """How something looks in every figure; the colors are Okabe and Ito's, which the color-blind
    tell apart, and the markers differ too.
    """

    label: str
    color: str
    marker: str


class Scored(NamedTuple):
    """What score functions are made from.

    Attributes:
        apply_fn: ``(params, images)`` to logits, in inference mode.
        image_shape: height, width and channels.
        temperature: GraSP divides the logits by it.
    """

    apply_fn: Callable[..., Any]
    image_shape: tuple[int, ...]
    temperature: float = 200.0


class Method(NamedTuple):
    """A way to prune.

    Attributes:
        make: the network to its score function.
        label: its name in figures.
        color: in figures.
        marker: in figures.
        rounds: by default; a method of 1 takes no other number.
        needs_data: scores depend on a batch of images and labels.
    """

    make: Callable[[Scored], ScoreFn]
    label: str
    color: str
    marker: str
    rounds: int = 1
    needs_data: bool = False

    @property
    def style(self) -> Style:
        """How it looks."""
        return Style(self.label, self.color, self.marker)


def _synflow(net: Scored) -> ScoreFn:
    return sf.synflow(net.apply_fn, jnp.ones((1, *net.image_shape)))


def _snip(net: Scored) -> ScoreFn:
    return sf.snip(sf.cross_entropy(net.apply_fn))


def _grasp(net: Scored) -> ScoreFn:
    return sf.grasp(sf.cross_entropy(net.apply_fn, temperature=net.temperature))


METHODS = {
    "synflow": Method(_synflow, "SynFlow", "#D55E00", "o", rounds=100),
    "snip": Method(_snip, "SNIP", "#0072B2", "s", needs_data=True),
    "grasp": Method(_grasp, "GraSP", "#009E73", "^", needs_data=True),
    "magnitude": Method(lambda _: sf.magnitude(), "Magnitude", "#CC79A7", "D"),
    "random": Method(lambda _: sf.random(), "Random", "#555555", "v"),
}

ALL_METHODS = tuple(METHODS)
STYLES = {name: method.style for name, method in METHODS.items()}

# A command line offers the names of the table; to a type checker they are any text.
if TYPE_CHECKING:
    MethodName = str
else:
    MethodName = Literal[ALL_METHODS]


def score_fns(
    apply_fn: Callable[..., Any], image_shape: tuple[int, ...], *, temperature: float = 200.0
) -> dict[str, ScoreFn]:
    """Each method's score function by its name."""
    net = Scored(apply_fn, image_shape, temperature)
    return {name: method.make(net) for name, method in METHODS.items()}


def rounds_of(name: str, asked: int) -> int:
    """Rounds of pruning: those asked for, where the method takes more than one.

    >>> rounds_of("synflow", 50), rounds_of("magnitude", 50)
    (50, 1)
    """
    return asked if METHODS[name].rounds > 1 else 1
