"""The library's own calls of some cases, to compare two versions by. Needs no PyTorch."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from benchmarks.measurements import rounds, selection
from benchmarks.measurements.rounds import Pruning
from benchmarks.networks.zoo import SMALL, VGG16, Network, make
from benchmarks.suites import prunings


class Ours(NamedTuple):
    """The side called synflow_jax in a case of `benchmarks.run`.

    Attributes:
        what: a table's name for a piece of the call.
        make: what makes the call.
        pieces: how many rounds or searches a call has.
    """

    what: str
    make: Callable[[], Callable[[], Any]]
    pieces: int


def all_rounds(pruning: Pruning) -> Callable[[], Any]:
    return rounds.our_call(make(pruning.network), pruning.rounds)


def searches(network: Network) -> Callable[[], Any]:
    return selection.in_a_row(selection.our_search(selection.synflow_scores(network)))


def by_name(pruning_of: Mapping[str, Pruning], searched: Network) -> dict[str, Ours]:
    found = {
        name: Ours(f"{pruning.title}, a round", partial(all_rounds, pruning), pruning.rounds)
        for name, pruning in pruning_of.items()
    }
    kth = f"Exact k-th score, {searched.name}"
    return found | {"kth": Ours(kth, partial(searches, searched), selection.REPEATS)}


FULL: Mapping[str, Ours] = by_name(prunings.FULL, VGG16)
QUICK: Mapping[str, Ours] = by_name(prunings.QUICK, SMALL)
