"""Values of a program: those that units are followed through, and those that stay the same."""

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from synflow_jax import wiring

NONE = -1
"""The unit of what belongs to none, and the number of what is no weight."""

_FIRST_MOVES = frozenset(
    "broadcast_in_dim copy dynamic_slice expand_dims gather reshape rev slice split squeeze tile "
    "transpose".split()
)
_ALL_MOVE = frozenset(("concatenate", "pad", "stack"))


class Flow(NamedTuple):
    """A value that depends on the inputs.

    Attributes:
        units: the unit that each element belongs to, int32; `NONE` of what belongs to none.
    """

    units: np.ndarray


class Still(NamedTuple):
    """A value that doesn't.

    Attributes:
        array: its numbers.
        weights: which weight each element is made of, int32, `NONE` if none or several; None if
            that holds of all.
    """

    array: Any
    weights: np.ndarray | None = None


class UnfollowedError(Exception):
    """Why units can't be followed through a step."""


def flowing(own: Still | Flow) -> Flow:
    """The value, which must depend on the inputs."""
    if isinstance(own, Still):
        raise UnfollowedError("it depends on the inputs in another place than layers do")
    return own


def combined(step: wiring.Step, operands: Sequence[Still]) -> list[Still]:
    """What a step makes of values that don't depend on the inputs."""
    arrays = wiring.rebound(step, *(own.array for own in operands))
    several = step.equation.primitive.multiple_results
    arrays = list(arrays) if several else [arrays]
    weights = [own.weights for own in operands if own.weights is not None]
    if not weights:
        return [Still(array) for array in arrays]
    if step.name in _FIRST_MOVES | _ALL_MOVE:
        flows = [own if own.weights is None else Flow(own.weights) for own in operands]
        return [Still(a, own.units) for a, own in zip(arrays, moved(step, flows), strict=True)]
    if step.name in wiring.ELEMENTWISE and not several:
        return [Still(arrays[0], reduce(_of_one, weights))]
    return [Still(array) for array in arrays]


def _of_one(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    found = np.where(one == NONE, other, one)
    return np.where((one != other) & (one != NONE) & (other != NONE), NONE, found)


def moved(step: wiring.Step, operands: Sequence[Still | Flow]) -> list[Flow]:
    """The units of elements that a step only moves."""
    if step.name in _FIRST_MOVES:
        moving = operands[:1]
    elif step.name in _ALL_MOVE:
        moving = operands
    else:
        raise UnfollowedError("which units go through it isn't known")
    if not all(isinstance(own, Flow) for own in operands[:1]) and step.name in _FIRST_MOVES:
        raise UnfollowedError("it chooses by the inputs")
    if any(isinstance(own, Flow) for own in operands[len(moving) :]):
        raise UnfollowedError("it chooses by the inputs")
    arrays = [_numbers(own) for own in moving]
    others = [own.array for own in operands[len(moving) :] if isinstance(own, Still)]
    results = wiring.rebound(step, *arrays, *others)
    results = results if step.equation.primitive.multiple_results else [results]
    # What is filled in has other numbers below 0.
    return [Flow(np.maximum(np.asarray(each), NONE)) for each in results]


def _numbers(own: Still | Flow) -> jnp.ndarray:
    if isinstance(own, Flow):
        return jnp.asarray(own.units, jnp.int32)
    return jnp.full(jnp.shape(own.array), NONE, jnp.int32)
