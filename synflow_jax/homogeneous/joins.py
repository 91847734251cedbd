"""Rules for what joins several flows, or the flow and biases."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.homogeneous.equations import Site
from synflow_jax.homogeneous.operands import absolute, flow_of, index_of
from synflow_jax.homogeneous.scaled import Scaled, aligned, at_exponent, grown
from synflow_jax.homogeneous.values import Coefficient, Value

# A number this low or lower that is added can only be meant to hide elements; of those in use for
# that it's the highest.
_HIDES = -1e4
# Powers of two by which a sum over devices may grow, of which there are taken to be 2**16 at most.
_DEVICES = 16


def added(site: Site, value: Value) -> Scaled | jax.Array:
    """``value`` as one part of a sum, a choice or a concatenation: a coefficient is a bias."""
    if isinstance(value, Scaled):
        return value
    sums = site.equation.primitive.name in ("add", "add_any", "scatter-add")
    if value.known and not value.holds(lambda x: x > _HIDES if sums else x >= 0):
        raise site.refuse(
            "it fills in a negative number; fill in 0"
            if not sums
            else f"it adds a number of {_HIDES:g} or less, which would enter in absolute value; to "
            "hide elements multiply them by 0"
        )
    bias = jnp.asarray(absolute(site, value))
    return bias if site.biases else jnp.zeros_like(bias)


def adds(site: Site, left: Value, right: Value) -> Scaled:
    """A sum. What doesn't depend on the input is a bias."""
    if isinstance(left, Coefficient):
        left, right = right, left
    if not site.biases and isinstance(right, Coefficient):
        added(site, right)  # for what it refuses
        return flow_of(site, left)
    return _joined(site, [left, right])


def subtracts(site: Site, left: Value, right: Value) -> Scaled:
    """A coefficient, such as a running mean, subtracted: it's added in absolute value."""
    if isinstance(right, Scaled):
        raise site.refuse("it subtracts a value that depends on the input")
    if right.holds(lambda x: np.any(x == 0) & np.any(x >= -_HIDES)):
        raise site.refuse(
            f"it subtracts 0 from some elements and {-_HIDES:g} or more from others, which would "
            "enter in absolute value; to hide elements multiply them by 0"
        )
    flow = flow_of(site, left)
    if not site.biases or right.holds(lambda x: x == 0):  # such as an untrained running mean
        return flow
    flow, bias = aligned(flow, jnp.asarray(absolute(site, right)))
    return grown(replace(flow, mantissa=flow.mantissa + bias.mantissa), 1)


def _joined(site: Site, values: list[Value], *others: Any) -> Scaled:
    """The operation on values brought to one exponent."""
    flows = aligned(*(added(site, value) for value in values))
    origins = next((value.origins for value in values if isinstance(value, Scaled)), ())
    mantissa = site.bind(*others, *(flow.mantissa for flow in flows))
    return grown(replace(flows[0], mantissa=mantissa, origins=origins), 1)


def joins(site: Site, *values: Value) -> Scaled:
    """What puts several operands into one, such as a concatenation."""
    return _joined(site, list(values))


def takes_larger(site: Site, left: Value, right: Value) -> Scaled:
    """The larger of two flows, or of the flow and a number of 0 or less, which is the flow."""
    if isinstance(left, Scaled) and isinstance(right, Scaled):
        return _joined(site, [left, right])
    bound = right if isinstance(left, Scaled) else left
    if isinstance(bound, Scaled) or not bound.holds(lambda value: value <= 0):
        raise site.refuse("it compares the flow with a number that isn't known to be 0 or less")
    return flow_of(site, left if isinstance(left, Scaled) else right)


def takes_smaller(site: Site, left: Value, right: Value) -> Scaled:
    """The smaller of two flows."""
    if isinstance(left, Scaled) and isinstance(right, Scaled):
        return _joined(site, [left, right])
    raise site.refuse("it compares the flow with a number, which decides by value")


def selects(site: Site, which: Value, *cases: Value) -> Scaled:
    """A choice that doesn't depend on the input."""
    if isinstance(which, Scaled):
        raise site.refuse("it chooses by the value of the flow")
    if which.trained:
        raise site.refuse("it chooses by the values of the params")
    return _joined(site, list(cases), which.value)


def updates(site: Site, operand: Value, update: Value, *starts: Value) -> Scaled:
    """A block of one operand replaced by another."""
    indices = [index_of(site, start) for start in starts]
    flow, new = aligned(added(site, operand), added(site, update))
    return replace(flow, mantissa=site.bind(flow.mantissa, new.mantissa, *indices))


def scatters(site: Site, operand: Value, where: Value, update: Value) -> Scaled:
    """Elements of one operand replaced by, or added to, those of another."""
    indices = index_of(site, where)
    flow, new = aligned(added(site, operand), added(site, update))
    growth = new.mantissa.size.bit_length()
    return grown(replace(flow, mantissa=site.bind(flow.mantissa, indices, new.mantissa)), growth)


def all_reduces(site: Site, *operands: Value) -> Any:
    """A sum over devices, which are brought to one exponent first."""
    flows = [flow_of(site, operand) for operand in operands]
    shifted = []
    for flow in flows:
        shifted += at_exponent(lax.pmax(flow.exponent, site.equation.params["axes"]), flow)
    sums = site.bind(*(flow.mantissa for flow in shifted))
    if not site.equation.primitive.multiple_results:
        return grown(replace(shifted[0], mantissa=sums), _DEVICES)
    return [grown(replace(f, mantissa=m), _DEVICES) for f, m in zip(shifted, sums, strict=True)]
