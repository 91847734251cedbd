"""Rules for what moves, picks or adds up elements of one flow."""

import functools
import math
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax.homogeneous.equations import Site
from synflow_jax.homogeneous.operands import index_of
from synflow_jax.homogeneous.repeats import picked
from synflow_jax.homogeneous.scaled import Scaled, grown, normalized, unfolded
from synflow_jax.homogeneous.values import Coefficient, Value, with_array
from synflow_jax.homogeneous.windows import Window, moved


def passes(site: Site, *values: Value) -> Any:
    """What moves or picks elements of one operand: it's done to the mantissa."""
    operand, *rest = values
    indices = [index_of(site, value) for value in rest if isinstance(value, Coefficient)]
    if not isinstance(operand, Scaled) or len(indices) < len(rest):
        raise site.refuse("it depends on the input in more than its operand")
    results = site.bind(operand.mantissa, *indices)
    if site.equation.primitive.multiple_results:
        return [replace(operand, mantissa=result) for result in results]
    return replace(operand, mantissa=results)


def passes_each(site: Site, *values: Value) -> Any:
    """What returns each of its operands."""
    arrays = [value.mantissa if isinstance(value, Scaled) else value.value for value in values]
    results = site.bind(*arrays)
    if not site.equation.primitive.multiple_results:
        return with_array(values[0], results)
    return [with_array(value, array) for value, array in zip(values, results, strict=True)]


def gathers(site: Site, operand: Scaled, indices: Value) -> Any:
    """Elements picked from one operand; an index outside of it may give 0, but not NaN."""
    if not isinstance(operand, Scaled):
        raise site.refuse("where it reads depends on the input")
    params = site.equation.params
    numbers, sizes = params["dimension_numbers"], params["slice_sizes"]
    last = [operand.shape[axis] - sizes[axis] for axis in numbers.start_index_map]
    inside = isinstance(indices, Coefficient) and indices.holds(lambda i: (i >= 0) & (i <= last))
    if params["fill_value"] not in (None, 0) and not inside:
        raise site.refuse("it fills in a number other than 0 where an index is outside")
    return passes(site, operand, indices)


def sums(site: Site, operand: Scaled) -> Scaled:
    """Sums of elements of one operand."""
    result = passes(site, operand)
    terms = math.prod(operand.mantissa.shape) // max(1, math.prod(result.mantissa.shape))
    if site.equation.primitive.name in ("cumsum", "reduce_window_sum"):
        terms = operand.mantissa.size
    return grown(result, max(1, terms).bit_length())


def converts(site: Site, operand: Scaled) -> Scaled:
    """A change of floating-point type."""
    dtype = site.equation.params["new_dtype"]
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise site.refuse("it turns the flow into complex numbers")
    if not jnp.issubdtype(dtype, jnp.floating):
        raise site.refuse("it turns the flow into integers, which decides by value")
    operand = normalized(operand)
    return replace(operand, mantissa=site.bind(operand.mantissa))


def pools(site: Site, operand: Scaled) -> Scaled:
    """Sums, largest or smallest elements of a moving window; what is outside is left out."""
    name = site.equation.primitive.name
    names = ("window_dimensions", "window_strides", "padding", "base_dilation", "window_dilation")
    params = [site.equation.params[each] for each in names]
    windows = [Window(*each) for each in zip(*params, strict=True)]
    sources, origins = moved(windows, operand.mantissa.shape, operand.origins)
    empty = any((source < 0).all(1).any() for source in sources)
    if name == "reduce_window_min":
        if empty:
            raise site.refuse("it takes the smallest of a window that lies wholly outside")
        return passes(site, unfolded(operand))
    summed = name == "reduce_window_sum"
    if not operand.origins:
        return sums(site, operand) if summed else _largest(site, operand, empty)
    x = operand.mantissa
    # The last axis first, so that of equal elements the first, row by row, gets the gradient.
    for axis in reversed(range(x.ndim)):
        taps = [picked(x, axis, tap) for tap in sources[axis].T]
        x = functools.reduce(jnp.add if summed else _first_of_larger, taps)
    terms = math.prod(operand.shape) if summed else 1
    return grown(replace(operand, mantissa=x, origins=origins), terms.bit_length() * summed)


def _largest(site: Site, operand: Scaled, empty: bool) -> Scaled:
    largest = passes(site, operand)
    if not empty:
        return largest
    mantissa = largest.mantissa
    # The largest of nothing is -inf.
    return replace(largest, mantissa=jnp.where(mantissa < 0, jnp.zeros_like(mantissa), mantissa))


def _first_of_larger(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.where(b > a, b, a)


def powers(site: Site, operand: Value, *exponent: Value) -> Scaled:
    """The first power; all others have another degree."""
    first = site.equation.params.get("y") == 1 or any(
        isinstance(y, Coefficient) and y.holds(lambda y: y == 1) for y in exponent
    )
    if not first or not isinstance(operand, Scaled):
        raise site.refuse("a power other than 1 isn't positively homogeneous")
    return operand


def unchanged(site: Site, operand: Scaled) -> Scaled:
    """The absolute value of what is nonnegative already."""
    del site
    return operand


def shows(site: Site, *values: Value) -> list[Value]:
    """What prints the flow or looks at it: left out, since the network's own numbers are others."""
    del site, values
    return []


def pads(site: Site, operand: Value, padding: Value) -> Scaled:
    """Padding with 0, or with -inf before a maximum, as good as 0 for nonnegative values."""
    nothing = isinstance(padding, Coefficient) and padding.holds(
        lambda v: (v == 0) | (v == -np.inf)
    )
    if not isinstance(operand, Scaled) or not nothing:
        raise site.refuse("it pads the flow with a number other than 0")
    zero = jnp.zeros((), operand.mantissa.dtype)
    return replace(operand, mantissa=site.bind(operand.mantissa, zero))
