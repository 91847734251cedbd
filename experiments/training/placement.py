"""Training on several devices: from an option to a mesh, and from an array to where it lies.

placement = placement_of("fsdp")                    # over all devices of all processes
setup = Setup(..., placement=placement)
state, examples = place_state(placement, state), replicate(placement, examples)

Without a placement everything is left where it is.
"""

from typing import Any, Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

ShardingOption = Literal["none", "data", "fsdp"]
T = TypeVar("T")


class Placement(NamedTuple):
    """Devices in a row, among which each batch is divided.

    Attributes:
        mesh: with the one axis ``data``.
        fsdp: params, masks and optimizer state are divided too; otherwise each device has all.
    """

    mesh: Mesh
    fsdp: bool = False


def placement_of(option: ShardingOption) -> Placement | None:
    """The placement over all devices of all processes, None for one device."""
    if option == "none":
        return None
    mesh = jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))
    return Placement(mesh, option == "fsdp")


def check_batch_size(placement: Placement | None, batch_size: int) -> None:
    """Raises ValueError if a batch can't be divided among the devices."""
    if placement and batch_size % placement.mesh.size:
        raise ValueError(
            f"a batch size of {batch_size} can't be divided among {placement.mesh.size} devices; "
            f"take a multiple of {placement.mesh.size}"
        )


def round_up(placement: Placement | None, batch_size: int) -> int:
    """The next batch size that can be divided among the devices."""
    devices = placement.mesh.size if placement else 1
    return -(-batch_size // devices) * devices


def state_shardings(placement: Placement, tree: Any) -> Any:
    """Where each leaf lies. It depends on the shape alone, so a parameter, its mask and its
    momentum lie alike: divided along the largest dimension that can be, of two or more.
    """

    def sharding(leaf: Any) -> NamedSharding:
        even = [d for d, size in enumerate(leaf.shape) if size % placement.mesh.size == 0]
        axes: list[str | None] = []
        if placement.fsdp and leaf.ndim >= 2 and even:
            axes = [None] * max(even, key=lambda d: leaf.shape[d]) + ["data"]
        return NamedSharding(placement.mesh, PartitionSpec(*axes))

    return jax.tree.map(sharding, tree)


def place_state(placement: Placement | None, state: T) -> T:
    """The state on its devices. All processes pass the same."""
    if placement is None:
        return state
    return jax.tree.map(_put, state, state_shardings(placement, state))


def replicate(placement: Placement | None, tree: T) -> T:
    """Arrays on every device. All processes pass the same."""
    if placement is None:
        return tree
    sharding = NamedSharding(placement.mesh, PartitionSpec())
    return jax.tree.map(lambda leaf: _put(leaf, sharding), tree)


def _put(leaf: jax.Array, sharding: NamedSharding) -> jax.Array:
    if jax.process_count() == 1 or not leaf.is_fully_addressable:
        return jax.device_put(leaf, sharding)
    # To devices of other processes JAX puts no random keys and nothing that lies on its own.
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        data = _put(jax.random.key_data(leaf), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
    return jax.device_put(np.asarray(leaf), sharding)


def global_batch(placement: Placement | None, batch: T) -> T:
    """Host arrays, of which each process passes its own equal part, as one batch."""
    if placement is None:
        return batch
    sharding = NamedSharding(placement.mesh, PartitionSpec("data"))
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(sharding, np.asarray(x)), batch
    )


def divide(placement: Placement | None, batch: T) -> T:
    """Under ``jit``: the batch divided among the devices along its first dimension."""
    if placement is None:
        return batch
    sharding = NamedSharding(placement.mesh, PartitionSpec("data"))
    return jax.lax.with_sharding_constraint(batch, sharding)


def keep_placed(placement: Placement | None, state: T) -> T:
    """Under ``jit``: the state where `place_state` put it."""
    if placement is None:
        return state
    return jax.lax.with_sharding_constraint(state, state_shardings(placement, state))


def gather(placement: Placement | None, tree: T) -> T:
    """Under ``jit``: the same on every device, so that each process can read it."""
    if placement is None:
        return tree
    return jax.lax.with_sharding_constraint(tree, NamedSharding(placement.mesh, PartitionSpec()))
