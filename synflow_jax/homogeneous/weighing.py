"""What weighs the flow: weights of attention with their masks, gates, rows of embeddings."""

import functools
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax import wiring
from synflow_jax.checks import source_line
from synflow_jax.homogeneous.decisions import Action
from synflow_jax.homogeneous.equations import Site
from synflow_jax.homogeneous.kinds import Reader
from synflow_jax.homogeneous.scaled import Scaled, aligned, grown, normalized, unfolded
from synflow_jax.homogeneous.signs import Sign
from synflow_jax.homogeneous.values import Coefficient, Value

# A number this low or lower that is added to logits can only be meant to hide positions.
_HIDES = -1e4


def constant_flow(value: Value) -> Value:
    if isinstance(value, Scaled):
        return replace(value, mantissa=lax.stop_gradient(value.mantissa))
    return replace(value, value=lax.stop_gradient(value.value))


def gate(value: Value) -> Coefficient:
    """Weights as they are; a gate divided by its mean."""
    if isinstance(value, Coefficient):
        return value
    x = unfolded(value).mantissa
    mean = lax.stop_gradient(jnp.mean(x))
    return Coefficient(x / jnp.where(mean > 0, mean, 1), trained=True, sign=Sign.NONNEGATIVE)


def share(flow: Scaled, axes: tuple[int, ...]) -> Coefficient:
    """The flow divided by its sums."""
    x = unfolded(flow).mantissa
    total = lax.stop_gradient(jnp.sum(x, axes, keepdims=True))
    share = x / jnp.where(total > 0, total, 1)
    return Coefficient(share, trained=True, sign=Sign.NONNEGATIVE)


def added(flows: list[Scaled]) -> Scaled:
    """The sum of flows of one shape."""
    parts = aligned(*flows)
    mantissa = functools.reduce(jnp.add, [part.mantissa for part in parts])
    return grown(replace(parts[0], mantissa=mantissa), 1)


def met(site: Site, left: Scaled, right: Scaled) -> Scaled:
    left, right = normalized(unfolded(left)), normalized(unfolded(right))
    mantissa = site.bind(left.mantissa, right.mantissa)
    return normalized(Scaled(mantissa, left.exponent + right.exponent))


def check_rows(site: Site, operands: list[Value]) -> None:
    """Token ids are rows of the table."""
    equation = site.equation
    if equation.primitive.name != "gather":
        return
    table, ids = operands
    assert isinstance(table, Coefficient)
    assert isinstance(ids, Coefficient)
    along = equation.params["dimension_numbers"].start_index_map
    last = [jnp.shape(table.value)[i] - equation.params["slice_sizes"][i] for i in along]
    numbers = None if ids.known is None else np.asarray(ids.known())
    if numbers is not None and not np.all((numbers >= 0) & (numbers <= np.array(last))):
        raise ValueError(
            f"token ids must be from 0 to {last[0]}, the rows of an embedding of shape "
            f"{jnp.shape(table.value)}, got {np.min(numbers)} to {np.max(numbers)} at "
            f"{source_line(site)}"
        )


def check_masks(
    reader: Reader, values: dict[int, Value], number: int, axes: tuple[int, ...]
) -> None:
    """Of the logits behind exponentials some are left in each row, as far as masks are known."""
    step = reader.maker.get(number)
    while step is not None:
        flow = reader.decisions[id(step)].flow
        if reader.decisions[id(step)].action is Action.MASK:
            given = [values.get(operand) for operand in step.operands]
            left = _shown_numbers(step, flow, given, reader.program.shape(step.results[0]))
            if left is not None and not left.any(axes).all():
                raise reader.site_of(step).refuse(
                    "it hides all positions of a row, so that attention has nothing to look at"
                )
        step = reader.maker.get(step.operands[flow])


def _shown_numbers(
    step: wiring.Step, flow: int, values: list[Any], shape: tuple[int, ...]
) -> np.ndarray | None:
    """Where a mask leaves logits as they are; None if that isn't known when tracing."""
    others = [value for i, value in enumerate(values) if i != flow]
    if any(not isinstance(value, Coefficient) or value.known is None for value in others):
        return None
    if step.name == "add":
        return np.broadcast_to(np.asarray(others[0].known()) > _HIDES, shape)
    which = np.asarray(others[0].known()).astype(int)
    return np.broadcast_to(which == flow - 1, shape)


def shown(site: Site, flow: int, operands: list[Value]) -> Scaled:
    """Logits, 0 where they are hidden. What else is added to them is left out."""
    own = operands[flow]
    assert isinstance(own, Scaled)
    own = unfolded(own)
    zeros = jnp.zeros_like(own.mantissa)
    if site.equation.primitive.name == "add":
        (bias,) = (each for each in operands if isinstance(each, Coefficient))
        return replace(
            own, mantissa=jnp.where(jnp.asarray(bias.value) > _HIDES, own.mantissa, zeros)
        )
    which, *cases = operands
    arrays = [own.mantissa if case is operands[flow] else zeros for case in cases]
    for case in cases:
        low = isinstance(case, Coefficient) and case.holds(lambda x: x <= _HIDES)
        if case is not operands[flow] and not low:
            raise site.refuse("it fills in a number that doesn't hide positions of attention")
    assert isinstance(which, Coefficient)
    return replace(own, mantissa=site.bind(which.value, *arrays))
