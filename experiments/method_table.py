"""The methods that experiments compare. To add one, add its row to `METHODS`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

import jax
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
        through: SynFlow's, "attention" for transformers and mixers.
    """

    apply_fn: Callable[..., Any]
    image_shape: tuple[int, ...]
    temperature: float = 200.0
    through: Literal["attention"] | None = None


class Pruning(TypedDict):
    """What `synflow_jax.prune` is told beside the score function."""

    rounds: int
    regrow: bool
    select: sf.Selection


class Method(NamedTuple):
    """A way to prune.

    Attributes:
        make: the network to its score function.
        label: its name in figures.
        color: in figures.
        marker: in figures.
        rounds: by default; a method of 1 takes no other number.
        needs_data: scores depend on a batch of images and labels.
        regrow: pruned weights compete in every round.
        select: which of the scores are kept.
    """

    make: Callable[[Scored], ScoreFn]
    label: str
    color: str
    marker: str
    rounds: int = 1
    needs_data: bool = False
    regrow: bool = False
    select: sf.Selection = sf.global_top_k

    @property
    def style(self) -> Style:
        """How it looks."""
        return Style(self.label, self.color, self.marker)


def _synflow(net: Scored) -> ScoreFn:
    return sf.synflow(net.apply_fn, jnp.ones((1, *net.image_shape)), through=net.through)


def _synflow_squared(net: Scored) -> ScoreFn:
    inputs = jnp.ones((1, *net.image_shape))
    return sf.synflow(net.apply_fn, inputs, power=2, through=net.through)


def _snip(net: Scored) -> ScoreFn:
    return sf.snip(sf.cross_entropy(net.apply_fn))


def _grasp(net: Scored) -> ScoreFn:
    return sf.grasp(sf.cross_entropy(net.apply_fn, temperature=net.temperature))


def _fisher(net: Scored) -> ScoreFn:
    return sf.fisher(sf.cross_entropy(net.apply_fn))


def _prospr(net: Scored) -> ScoreFn:
    steps = 3
    score_fn = sf.prospr(sf.cross_entropy(net.apply_fn), learning_rate=0.1, steps=steps)

    def of_parts(params: Any, mask: Any, batch: Any, key: Any) -> Any:
        return score_fn(params, mask, interleaved(batch, steps + 1), key)

    return of_parts


def _ntk_sap(net: Scored) -> ScoreFn:
    # Without batch statistics a draw leaves many units dead, whose weights score 0 and would be cut
    # by position: so several draws, each of few inputs.
    shape = jax.ShapeDtypeStruct((8, *net.image_shape), jnp.float32)
    return sf.ntk_sap(net.apply_fn, shape, repeats=4)


def interleaved(batch: Any, parts: int) -> Any:
    """A batch as several along a new first axis, which take its examples in turn: each has some of
    every class if the examples come class by class. What is left over is left out.

    >>> interleaved(jnp.arange(7), 3)
    Array([[0, 3],
           [1, 4],
           [2, 5]], dtype=int32)
    """

    def divided(x: jax.Array) -> jax.Array:
        each = len(x) // parts
        return x[: each * parts].reshape(each, parts, *x.shape[1:]).swapaxes(0, 1)

    return jax.tree.map(divided, batch)


METHODS = {
    "synflow": Method(_synflow, "SynFlow", "#D55E00", "o", rounds=100),
    "snip": Method(_snip, "SNIP", "#0072B2", "s", needs_data=True),
    "grasp": Method(_grasp, "GraSP", "#009E73", "^", needs_data=True),
    "magnitude": Method(lambda _: sf.magnitude(), "Magnitude", "#CC79A7", "D"),
    "random": Method(lambda _: sf.random(), "Random", "#555555", "v"),
    "synflow-squared": Method(_synflow_squared, "SynFlow squared", "#E69F00", "<", rounds=100),
    "iterative-snip": Method(_snip, "Iterative SNIP", "#332288", "p", rounds=100, needs_data=True),
    "force": Method(_snip, "FORCE", "#56B4E9", ">", rounds=100, needs_data=True, regrow=True),
    "prospr": Method(_prospr, "ProsPr", "#117733", "X", needs_data=True),
    "fisher": Method(_fisher, "Fisher", "#AA4499", "P", needs_data=True),
    "ntk-sap": Method(_ntk_sap, "NTK-SAP", "#999933", "*", rounds=100),
    "path-exclusion": Method(
        lambda net: sf.path_exclusion(net.apply_fn),
        "Path exclusion",
        "#661100",
        "d",
        rounds=100,
        needs_data=True,
    ),
    "lamp": Method(lambda _: sf.lamp(), "LAMP", "#882255", "h"),
    "random-erk": Method(
        lambda _: sf.random(), "Random, ERK", "#000000", "8", select=sf.erdos_renyi_kernel
    ),
}

ALL_METHODS = tuple(METHODS)
PAPER_METHODS = ("synflow", "snip", "grasp", "magnitude", "random")
"""Those that Tanaka et al. 2020 compare."""
STYLES = {name: method.style for name, method in METHODS.items()}

# A command line offers the names of the table; to a type checker they are any text.
if TYPE_CHECKING:
    MethodName = str
else:
    MethodName = Literal[ALL_METHODS]


def score_fns(
    apply_fn: Callable[..., Any],
    image_shape: tuple[int, ...],
    *,
    temperature: float = 200.0,
    through: Literal["attention"] | None = None,
) -> dict[str, ScoreFn]:
    """Each method's score function by its name."""
    net = Scored(apply_fn, image_shape, temperature, through)
    return {name: method.make(net) for name, method in METHODS.items()}


def rounds_of(name: str, asked: int) -> int:
    """Rounds of pruning: those asked for, where the method takes more than one.

    >>> rounds_of("synflow", 50), rounds_of("magnitude", 50)
    (50, 1)
    """
    return asked if METHODS[name].rounds > 1 else 1


def competing(score_fn: ScoreFn, *, regrow: bool) -> ScoreFn:
    """The function that scores all weights that compete: with ``regrow`` pruned ones too."""
    return getattr(score_fn, "of_all", score_fn) if regrow else score_fn


def pruning_of(name: str, asked: int) -> Pruning:
    """How a method prunes, with `rounds_of` rounds."""
    method = METHODS[name]
    return Pruning(rounds=rounds_of(name, asked), regrow=method.regrow, select=method.select)
