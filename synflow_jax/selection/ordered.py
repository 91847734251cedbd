"""A selection that takes the layers in another order than the params have them."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import jax
import numpy as np

from synflow_jax.checks import check_selection, check_whole, shown
from synflow_jax.types import Selection


def in_order(select: Selection, order: Sequence[int]) -> Selection:
    """``select``, with the layers in the order in which the network uses them.

    `uniform_plus` and `smart_ratio` depend on which layer is the first and which the last. Params
    are in the order of ``jax.tree.leaves``, in which dictionaries and modules are sorted by name;
    `layer_order` reads the other one off the network.

    Args:
        select: a selection; of equal scores one that ranks several layers together keeps those of
            the layers that come first in ``order``.
        order: the places of the prunable leaves in ``jax.tree.leaves(params)``, counted from 0
            among themselves, in the order in which ``select`` is to take them.

    Returns:
        A `Selection`. Equal arguments give equal ones.

    Raises:
        TypeError: ``select`` isn't a selection, or ``order`` isn't a sequence of whole numbers.
        ValueError: ``order`` lacks or repeats a place; when pruning, there are more or fewer
            prunable leaves.

    >>> import numpy as np
    >>> import synflow_jax as sf
    >>> shapes, last = [(3, 3, 16, 16), (3, 3, 3, 16), (16, 10)], np.array([0.2])
    >>> sf.in_order(sf.uniform_plus, (1, 0, 2)).counts(shapes, last)  # in that order
    array([[432, 116,  32]])
    """
    check_selection(select)
    if isinstance(order, str) or not isinstance(order, Sequence):
        raise TypeError(
            f"order must be a sequence of whole numbers, got order={shown(order)}; pass "
            "sf.layer_order(apply_fn, params, inputs)"
        )
    places = tuple(check_whole(f"order[{i}]", place) for i, place in enumerate(order))
    if sorted(places) != list(range(len(places))):
        raise ValueError(
            f"order must have each of 0 to {len(places) - 1} once, got order={places}; pass "
            "sf.layer_order(apply_fn, params, inputs)"
        )
    return _selection(select, places)


@cache
def _selection(select: Selection, places: tuple[int, ...]) -> Selection:
    def counts(layers: Sequence[Any], densities: np.ndarray) -> np.ndarray:
        if len(layers) != len(places):
            raise ValueError(
                f"order has {len(places)} places, but {len(layers)} leaves are prunable; pass one "
                "for each"
            )
        return select.counts([layers[place] for place in places], densities)

    def keep(scores: Sequence[jax.Array], row: Any) -> list[jax.Array]:
        """Keeps what the selection in another order keeps; see `in_order`."""
        masks = select.keep([scores[place] for place in places], row)
        return [masks[places.index(i)] for i in range(len(places))]

    return Selection(counts, keep, shapes=select.shapes, slack=select.slack)
