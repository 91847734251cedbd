"""The ways to prune that are compared, and the mask that each gives."""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

import synflow_jax as sf
from experiments.method_table import METHODS, ScoreFn, Style, rounds_of, score_fns
from experiments.training import Member, Task


class Way(NamedTuple):
    """A way to prune.

    Attributes:
        method: whose scores.
        style: how it looks in the figure.
        per_class: whether each class of units loses the same fraction.
        weights: whether single weights are pruned, and units go that are left without a path.
    """

    method: str
    style: Style
    per_class: bool = False
    weights: bool = False


def _units(method: str) -> Way:
    style = METHODS[method].style
    return Way(method, style._replace(label=f"{style.label} units"))


UNIFORM = Style("Random units,\nthe same share of each layer", "#009E73", "^")
WEIGHTS = Style("SynFlow weights;\nunits without a path removed", "#E69F00", "X")

WAYS = {
    **{method: _units(method) for method in ("synflow", "snip", "magnitude", "random")},
    "uniform": Way("random", UNIFORM, per_class=True),
    "weights": Way("synflow", WEIGHTS, weights=True),
}
ALL_WAYS = tuple(WAYS)

# A command line offers the names of the table; to a type checker they are any text.
if TYPE_CHECKING:
    WayName = str
else:
    WayName = Literal[ALL_WAYS]


class Case(NamedTuple):
    """A network that is pruned, on its data.

    Attributes:
        network: its name.
        task: what to train on and how.
        scores: each method's score function.
        units: of the network.
        members: one for each seed.
    """

    network: str
    task: Task
    scores: dict[str, ScoreFn]
    units: sf.Units
    members: list[Member]


def make_case(network: str, task: Task, members: list[Member]) -> Case:
    """The network with its units."""
    units = sf.units(task.apply_fn, members[0].network.params, inputs_of(task))
    return Case(network, task, score_fns(task.apply_fn, task.data.train.shape), units, members)


def inputs_of(task: Task) -> jax.ShapeDtypeStruct:
    """The shape of one image as the network takes it."""
    return jax.ShapeDtypeStruct((1, *task.data.train.shape), jnp.float32)


class Pruned(NamedTuple):
    """A mask, how many numbers it keeps of all params, and what is left of them and of
    multiplications in the compact network.
    """

    mask: Any
    kept: int
    weights: int
    multiplications: int


def pruned(case: Case, way: Way, asked: float, member: Member, *, rounds: int) -> Pruned:
    """The network pruned to a fraction of its multiplications, or of its weights."""
    params, score_fn = member.network.params, case.scores[way.method]
    options: dict[str, Any] = {
        "rounds": rounds_of(way.method, rounds),
        "batch": member.batch,
        "key": member.pruning_key,
    }
    if way.weights:
        mask, _ = sf.prune(score_fn, params, 1 / asked, **options)
        report = sf.compact(case.task.apply_fn, params, mask, inputs_of(case.task)).report
        _, left, _, multiplications = report.total
    else:
        options |= {"multiplications": asked, "per_class": way.per_class}
        mask, history = sf.prune_units(score_fn, params, case.units, **options)
        left, multiplications = int(history.weights[-1]), int(history.multiplications[-1])
    return Pruned(mask, kept(mask, params), left, multiplications)


def whole(case: Case, member: Member) -> Pruned:
    """The network as it is."""
    mask, units = sf.full_mask(member.network.params), case.units
    return Pruned(mask, units.weights, units.weights, units.multiplications)


def kept(mask: Any, params: Any) -> int:
    """How many numbers of all params a mask keeps."""
    return sum(int(own.sum()) for own in jax.tree.leaves(at_full_shape(mask, params)))


def at_full_shape(mask: Any, params: Any) -> Any:
    """The mask with each leaf in its parameter's shape; then one program trains under all masks.

    >>> import jax.numpy as jnp
    >>> at_full_shape({"bias": jnp.array(True)}, {"bias": jnp.ones(2)})["bias"]
    Array([ True,  True], dtype=bool)
    """
    return jax.tree.map(lambda own, param: jnp.broadcast_to(own, param.shape), mask, params)
