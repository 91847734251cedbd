"""The methods that are compared, those of the table and PHEW, and the mask that each gives."""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

import synflow_jax as sf
from experiments.method_table import ALL_METHODS, METHODS, STYLES, Style, pruning_of, score_fns
from experiments.training import Member, Task

PHEW = "phew"
"""It draws masks and has no scores, so that it's no row of the table."""
WAYS = (*ALL_METHODS, PHEW)
LOOKS = {**STYLES, PHEW: Style("PHEW", "#44AA99", "H")}

# A command line offers the names of the table; to a type checker they are any text.
if TYPE_CHECKING:
    WayName = str
else:
    WayName = Literal[WAYS]


class Case(NamedTuple):
    """The networks that are pruned, one a seed, and what prunes them."""

    task: Task
    members: list[Member]
    scores: dict[str, Any]


def make_case(task: Task, members: list[Member]) -> Case:
    """With each method's score function, made once, so that it's compiled once."""
    return Case(task, members, score_fns(task.apply_fn, task.data.train.shape))


def mask_of(case: Case, way: str, member: Member, power: float, rounds: int) -> Any:
    """The network's mask at a compression of ``10 ** power``."""
    params, key, compression = member.network.params, member.pruning_key, 10.0**power
    if way == PHEW:
        shape = jax.ShapeDtypeStruct((1, *case.task.data.train.shape), jnp.float32)
        return sf.phew(case.task.apply_fn, params, compression, key, shape)
    mask, _ = sf.prune(
        case.scores[way],
        params,
        compression,
        batch=member.batch,
        key=key,
        **pruning_of(way, rounds),
    )
    return mask


def rounds_and_data(way: str, rounds: int) -> tuple[int, bool]:
    """How many rounds it takes, and whether it needs data."""
    if way == PHEW:
        return 1, False
    return pruning_of(way, rounds)["rounds"], METHODS[way].needs_data
