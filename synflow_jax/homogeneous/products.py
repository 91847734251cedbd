"""Rules for products of the flow and a coefficient."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from synflow_jax.homogeneous.convolution import convolve
from synflow_jax.homogeneous.equations import Site, widened_params
from synflow_jax.homogeneous.operands import absolute, all_unfolded, flow_of
from synflow_jax.homogeneous.scaled import Scaled, coefficient_growth, grown, normalized, scaled
from synflow_jax.homogeneous.values import Coefficient, Value

_DEGREE_2 = "a product of two values that both depend on the input has degree 2"


def multiplies(site: Site, left: Value, right: Value) -> Scaled:
    """A product with a coefficient, element by element."""
    match left, right:
        case (Scaled() as flow, Coefficient() as other) | (
            Coefficient() as other,
            Scaled() as flow,
        ):
            factor = absolute(site, other)
        case _:
            raise site.refuse(_DEGREE_2)
    if isinstance(factor, jax.Array) and factor.ndim:
        product = replace(flow, mantissa=site.bind(flow.mantissa, factor))
        return grown(product, coefficient_growth(factor.dtype))
    number = scaled(factor)
    mantissa = site.bind(flow.mantissa, number.mantissa)
    return grown(replace(flow, mantissa=mantissa, exponent=flow.exponent + number.exponent), 2)


def divides(site: Site, left: Value, right: Value) -> Scaled:
    """A quotient by a coefficient."""
    if isinstance(right, Scaled):
        raise site.refuse("it divides by a value that depends on the input")
    if right.trained:
        raise site.refuse(
            "it divides by a function of the params, so that scores would be negative"
        )
    if right.known and not right.holds(lambda x: x != 0):
        raise site.refuse("it divides by 0")
    left, right = flow_of(site, left), flow_of(site, right)
    if right.mantissa.ndim:
        # Where the divisor is much smaller than its largest element, the quotient is much larger.
        left = normalized(left)
    mantissa = site.bind(left.mantissa, right.mantissa)
    exponent = left.exponent - right.exponent
    quotient = replace(left, mantissa=mantissa, exponent=exponent, growth=left.growth + 2)
    return normalized(quotient) if right.mantissa.ndim else grown(quotient, 0)


def accumulates(site: Site, left: Value, right: Value) -> Scaled:
    """A matrix product with a coefficient."""
    match left, right:
        case Scaled(), Coefficient():
            product = replace(left, mantissa=site.bind(left.mantissa, absolute(site, right)))
        case Coefficient(), Scaled():
            product = replace(right, mantissa=site.bind(absolute(site, left), right.mantissa))
        case _:
            raise site.refuse(_DEGREE_2)
    return normalized(product)


def convolves(site: Site, left: Value, right: Value) -> Scaled:
    """A convolution with a kernel that is a coefficient."""
    if not (isinstance(left, Scaled) and isinstance(right, Coefficient)):
        return accumulates(site, *all_unfolded([left, right]))
    kernel = jnp.asarray(absolute(site, right))
    params = widened_params(site.equation)
    mantissa, origins = convolve(params, left.mantissa, kernel, left.origins)
    return normalized(replace(left, mantissa=mantissa, origins=origins))
