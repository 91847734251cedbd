"""The rule of rewiring: in each layer the lowest magnitudes go, and as many others come."""

from collections import defaultdict
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from synflow_jax.selection import count, top_k
from synflow_jax.types import Mask, Params, Scores


def exchanged(mask: Mask, params: Params, growth: Scores, numbers: jax.Array) -> Mask:
    """Another mask that keeps as many weights of each layer.

    Args:
        mask: boolean arrays of the params' shapes, or scalars, which stay.
        params: a pytree of floating-point arrays. The lowest magnitudes among the kept are dropped;
            of equal ones the last.
        growth: a pytree like params. The highest among the pruned, those just dropped aside, are
            grown; of equal ones the first.
        numbers: how many to exchange in each layer, int32; fewer where fewer are pruned.

    Returns:
        The mask.
    """
    leaves, structure = jax.tree.flatten(mask)
    trees = zip(leaves, jax.tree.leaves(params), jax.tree.leaves(growth), strict=True)
    layers = iter(_layers([leaf for leaf in trees if leaf[0].ndim], numbers))
    return structure.unflatten([next(layers) if leaf.ndim else leaf for leaf in leaves])


def _layers(
    layers: Sequence[tuple[jax.Array, jax.Array, jax.Array]], numbers: jax.Array
) -> list[jax.Array]:
    """The masks of layers, each given as mask, weights and growth."""
    scores, ks = [], []
    for (mask, weights, growth), number in zip(layers, numbers, strict=True):
        kept = count(mask)
        grown = jnp.minimum(number, mask.size - kept)
        scores += [_among(mask, jnp.abs(weights)), _among(~mask, growth)]
        ks += [kept - grown, grown]
    chosen = _highest(scores, ks)
    return [stayed | new for stayed, new in zip(chosen[::2], chosen[1::2], strict=True)]


def _among(candidates: jax.Array, scores: jax.Array) -> jax.Array:
    # What isn't finite counts as the highest, since a NaN has no rank.
    finite = jnp.where(jnp.isfinite(scores), scores, jnp.inf)
    return jnp.where(candidates, finite, -jnp.inf)


def _highest(scores: Sequence[jax.Array], ks: Sequence[jax.Array]) -> list[jax.Array]:
    """The ``k`` highest of each array by itself.

    Selection takes long to compile, so arrays of one shape take turns in one loop. On several
    devices they don't, since stacking could send sharded ones from device to device.
    """
    if jax.device_count() > 1:
        return [top_k([each], k)[0] for each, k in zip(scores, ks, strict=True)]
    alike = defaultdict(list)
    for place, each in enumerate(scores):
        alike[each.shape, each.dtype].append(place)
    found = {}
    for places in alike.values():
        stacked = jnp.stack([scores[i] for i in places]), jnp.stack([ks[i] for i in places])
        chosen = lax.map(lambda pair: top_k([pair[0]], pair[1])[0], stacked)
        found.update(zip(places, chosen, strict=True))
    return [found[place] for place in range(len(scores))]
