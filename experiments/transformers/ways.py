"""The ways to prune that are compared, and the masks that each gives."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

import synflow_jax as sf
from experiments.method_table import METHODS, ScoreFn, Style, score_fns
from experiments.networks.small_transformers import made_homogeneous
from experiments.training import Member, Task


class Way(NamedTuple):
    """A way to prune.

    Attributes:
        scores: whose scores; a name of `score_functions`.
        style: how it looks in the figure.
        once: whether all is pruned in one round.
        attention: whether it's for networks with attention alone.
    """

    scores: str
    style: Style
    once: bool = False
    attention: bool = False


def _once(method: str) -> Way:
    return Way(method, METHODS[method].style, once=True)


NAIVE = "naive"
WAYS = {
    "synflow": Way("synflow", METHODS["synflow"].style),
    "synflow-once": Way("synflow", Style("SynFlow, 1 round", "#E69F00", "<"), once=True),
    NAIVE: Way(NAIVE, Style("SynFlow, attention\nas the mean", "#56B4E9", "X"), attention=True),
    "snip": _once("snip"),
    "iterative-snip": Way("snip", METHODS["iterative-snip"].style),
    **{method: _once(method) for method in ("grasp", "magnitude", "random")},
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
        scores: score functions by name.
        members: one for each seed.
    """

    network: str
    task: Task
    scores: dict[str, ScoreFn]
    members: list[Member]

    @property
    def attention(self) -> bool:
        """Whether it has attention."""
        return "vit" in self.network


def make_case(network: str, task: Task, members: list[Member]) -> Case:
    """The network with its score functions: those of `METHODS`, and the naive one."""
    shape = task.data.train.shape
    scores = score_fns(task.apply_fn, shape, through="attention")
    model = nnx.merge(task.setup.graph, *members[0].network, copy=True)
    naive, _ = sf.from_nnx(made_homogeneous(model))
    scores[NAIVE] = sf.synflow(naive, jnp.ones((1, *shape)), biases=False)
    return Case(network, task, scores, members)


def masks(
    case: Case, way: Way, powers: Sequence[float], member: Member, *, rounds: int
) -> list[Any]:
    """The masks of a way at all compressions.

    They're by `synflow_jax.prune_rounds`, which doesn't look at scores that are all 0, as those of
    naive queries are; round by round, so that the same program prunes in one and in many.
    """
    params, score_fn = member.network.params, case.scores[way.scores]
    given = {"batch": member.batch, "key": member.pruning_key}

    def pruned(power: float) -> Any:
        mask = sf.full_mask(params)
        rounds_made = 1 if way.once else rounds
        schedule = sf.exponential, sf.global_top_k
        for counts in sf.round_counts(mask, 10**power, rounds_made, *schedule):
            mask, _ = _rounds(score_fn, params, mask, counts[None], **given)
        return mask

    return [pruned(power) for power in powers]


_rounds = jax.jit(sf.prune_rounds, static_argnums=0)
