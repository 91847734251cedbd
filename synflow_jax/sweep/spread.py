"""A function of many members of a sweep, some at a time and spread over devices."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from synflow_jax.types import Params

# Bytes that pruning needs at once for each byte of a member's params. Compiled programs took 4 for
# a dense network, 8 to 13 for small convolutional and narrow ones.
_OF_PARAMS = 10
# Bytes of activations for each byte of a member's batch.
_OF_BATCH = 256
# Bytes of a CPU's last cache: it's fastest while what it works on stays there.
_CACHE = 2**25


class Spread(NamedTuple):
    """Where the members of a sweep are.

    Attributes:
        mesh: the devices.
        axes: names of those axes of the mesh that members are split over.
    """

    mesh: Mesh
    axes: tuple[str, ...]

    @property
    def parts(self) -> int:
        """Into how many parts the members are split, an int."""
        return math.prod(self.mesh.shape[axis] for axis in self.axes)


def spread_of(mesh: Mesh | None, stacked: Any) -> Spread | None:
    """All axes of ``mesh``; without one, those that arrays have their leading axis split over."""
    if mesh is not None:
        return Spread(_automatic(mesh), mesh.axis_names)
    for leaf in jax.tree.leaves(stacked):
        sharding = _named_sharding(leaf)
        first = next(iter(sharding.spec), None) if sharding else None
        if sharding and first is not None:
            axes = first if isinstance(first, tuple) else (first,)
            return Spread(_automatic(sharding.mesh), axes)
    return None


def _automatic(mesh: Any) -> Mesh:
    """``mesh`` with automatic axes: the compiler says how arrays in a program are sharded."""
    return Mesh(mesh.devices, mesh.axis_names)


def _named_sharding(leaf: Any) -> NamedSharding | None:
    sharding = getattr(leaf, "sharding", None)
    return sharding if isinstance(sharding, NamedSharding) else None


def split(stacked: Any, members: int, spread: Spread) -> Any:
    """``stacked`` with its leading axis split over the devices of ``spread``.

    Where their number doesn't divide ``members``, the last member is repeated.
    """
    parts = spread.parts
    rows = np.minimum(np.arange(-(-members // parts) * parts), members - 1)

    def put(leaf: Any) -> jax.Array:
        return _put(leaf if len(rows) == members else leaf[rows], spread, spread.axes)

    return jax.tree.map(put, stacked)


def shared(tree: Any, spread: Spread) -> Any:
    """``tree`` on the devices of ``spread``, a whole copy for each part of the members."""
    return jax.tree.map(lambda leaf: _put(leaf, spread), tree)


def _put(leaf: Any, spread: Spread, *leading: tuple[str, ...]) -> jax.Array:
    # Axes of the mesh that members aren't split over may still split the arrays of each member.
    sharding = _named_sharding(leaf)
    kept = sharding.spec if sharding and sharding.mesh.shape == spread.mesh.shape else ()
    free = [None if axes in spread.axes or isinstance(axes, tuple) else axes for axes in kept]
    spec = PartitionSpec(*leading, *free[len(leading) :])
    return jax.device_put(leaf, NamedSharding(spread.mesh, spec))


def on_devices(fn: Callable[[Any, Any], Any], spread: Spread) -> Callable[[Any, Any], Any]:
    """``fn(shared, split)`` run by each device on its own part of the members.

    Args:
        fn: returns two trees with a leading axis of members. The first stays split over the
            devices; the second is gathered, so that every process can read all of it. Devices
            exchange nothing else.
        spread: the devices.
    """
    whole, in_parts = PartitionSpec(), PartitionSpec(spread.axes)

    def part(common: Any, own: Any) -> Any:
        left, gathered = fn(common, own)
        return left, lax.all_gather(gathered, spread.axes, tiled=True)

    # check_vma would refuse loops that start from constants and go on with numbers of one device.
    return jax.shard_map(
        part,
        mesh=spread.mesh,
        in_specs=(whole, in_parts),
        out_specs=(in_parts, whole),
        axis_names=set(spread.axes),
        check_vma=False,
    )


def in_chunks(fn: Callable[[Any], Any], stacked: Any, chunk: int) -> Any:
    """``fn(stacked)``, at most ``chunk`` members at a time.

    The chunks are equally large: the last member is repeated in the last chunk as often as needed,
    and those results are cut off.
    """
    members = len(jax.tree.leaves(stacked)[0])
    chunks = -(-members // chunk)
    if chunks == 1:
        return fn(stacked)
    rows = np.arange(chunks * -(-members // chunks)).reshape(chunks, -1)

    def some(rows: jax.Array) -> Any:
        return fn(jax.tree.map(lambda leaf: leaf[rows], stacked))

    parts = lax.map(some, jnp.minimum(rows, members - 1))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:members], parts)


def good_chunk(member: Params, batch: Any) -> int:
    """How many members a device works on at once: as fit in half its memory, on a CPU in its cache.

    A member is taken to need 10 times the bytes of its params and 256 times those of its batch.
    """
    device = jax.local_devices()[0]
    # The whole memory, not what is free now: with another chunk all would be compiled again.
    limit = (device.memory_stats() or {}).get("bytes_limit", 0)
    room = _CACHE if device.platform == "cpu" or not limit else limit // 2
    return max(1, room // (_OF_PARAMS * _bytes(member) + _OF_BATCH * _bytes(batch)))


def _bytes(tree: Any) -> int:
    return sum(math.prod(np.shape(x)) * jnp.result_type(x).itemsize for x in jax.tree.leaves(tree))
