"""What each operation does in the linear network, where everything is nonnegative and scaled."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.convolution import convolve
from synflow_jax.equations import Site, wide_params
from synflow_jax.repeats import common, finer, picked
from synflow_jax.scaled import (
    Scaled,
    aligned,
    at_exponent,
    coefficient_growth,
    grown,
    normalized,
    scaled,
    unfolded,
)
from synflow_jax.signs import Sign
from synflow_jax.values import Coefficient, Value, with_array
from synflow_jax.windows import Window, moved

Rule = Callable[..., Any]
"""``rule(site, *values) -> Value`` or, for several results, a list of them."""


def all_unfolded(values: Sequence[Value]) -> list[Value]:
    """The values with all their slices."""
    return [unfolded(value) if isinstance(value, Scaled) else value for value in values]


def unfolding(rule: Rule) -> Rule:
    """``rule`` on operands with all their slices."""
    return lambda site, *values: rule(site, *all_unfolded(values))


def alike(rule: Rule) -> Rule:
    """``rule``, which works element by element, on operands that hold the same slices."""
    return lambda site, *values: rule(site, *_with_common_origins(values))


def _with_common_origins(values: Sequence[Value]) -> list[Value]:
    flows = [value for value in values if isinstance(value, Scaled)]
    if not all(flow.origins for flow in flows):
        return all_unfolded(values)
    shapes = [jnp.shape(value.value) for value in values if isinstance(value, Coefficient)]
    varies = [any(shape and shape[i] > 1 for shape in shapes) for i in range(len(flows[0].origins))]
    origins = functools.reduce(common, (flow.origins for flow in flows))
    origins = tuple(None if v else o for v, o in zip(varies, origins, strict=True))

    def refined(flow: Scaled) -> Scaled:
        return replace(flow, mantissa=finer(flow.mantissa, flow.origins, origins), origins=origins)

    return [refined(value) if isinstance(value, Scaled) else value for value in values]


def flow_of(site: Site, value: Value) -> Scaled:
    """``value`` as part of the flow: a coefficient enters in absolute value."""
    return value if isinstance(value, Scaled) else scaled(magnitude(site, value))


def magnitude(site: Site, coefficient: Coefficient) -> jax.Array | np.ndarray:
    """A coefficient in absolute value."""
    if coefficient.sign is Sign.MIXED:
        raise site.refuse(
            "it takes a function of the params that isn't a sum of products of them, all of one "
            "sign, so that scores could be negative"
        )
    value = coefficient.value
    if isinstance(value, np.ndarray):
        return np.abs(value)
    return value if coefficient.sign is Sign.NONNEGATIVE else jnp.abs(value)


# A negative constant from which on it can only be meant to hide what it is added to: the smallest
# that is in use for that.
_HIDES = -1e4


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
    bias = jnp.asarray(magnitude(site, value))
    return bias if site.biases else jnp.zeros_like(bias)


def passes(site: Site, *values: Value) -> Any:
    """What moves or picks elements of one operand: the mantissa goes through."""
    operand, *rest = values
    indices = [_index(site, value) for value in rest if isinstance(value, Coefficient)]
    if not isinstance(operand, Scaled) or len(indices) < len(rest):
        raise site.refuse("it depends on the input in more than its operand")
    results = site.bind(operand.mantissa, *indices)
    if site.equation.primitive.multiple_results:
        return [replace(operand, mantissa=result) for result in results]
    return replace(operand, mantissa=results)


def passes_each(site: Site, *values: Value) -> Any:
    """What hands on each of its operands by itself."""
    arrays = [value.mantissa if isinstance(value, Scaled) else value.value for value in values]
    results = site.bind(*arrays)
    if not site.equation.primitive.multiple_results:
        return with_array(values[0], results)
    return [with_array(value, array) for value, array in zip(values, results, strict=True)]


def gathers(site: Site, operand: Scaled, indices: Value) -> Any:
    """Elements of one operand; where an index is outside, NaN, or 0 if that's asked for."""
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


def multiplies(site: Site, left: Value, right: Value) -> Scaled:
    """A product with a coefficient, element by element."""
    match left, right:
        case (Scaled() as flow, Coefficient() as other) | (
            Coefficient() as other,
            Scaled() as flow,
        ):
            factor = magnitude(site, other)
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
            product = replace(left, mantissa=site.bind(left.mantissa, magnitude(site, right)))
        case Coefficient(), Scaled():
            product = replace(right, mantissa=site.bind(magnitude(site, left), right.mantissa))
        case _:
            raise site.refuse(_DEGREE_2)
    return normalized(product)


def convolves(site: Site, left: Value, right: Value) -> Scaled:
    """A convolution with a kernel that is a coefficient."""
    if not (isinstance(left, Scaled) and isinstance(right, Coefficient)):
        return accumulates(site, *all_unfolded([left, right]))
    kernel = jnp.asarray(magnitude(site, right))
    mantissa, origins = convolve(
        site.bind, wide_params(site.equation), left.mantissa, kernel, left.origins
    )
    return normalized(replace(left, mantissa=mantissa, origins=origins))


def pools(site: Site, operand: Scaled) -> Scaled:
    """Sums or largest elements of a moving window; what lies outside counts as nothing."""
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


_DEGREE_2 = "a product of two values that both depend on the input has degree 2"


def adds(site: Site, left: Value, right: Value) -> Scaled:
    """A sum. What doesn't depend on the input is a bias."""
    if isinstance(left, Coefficient):
        left, right = right, left
    if not site.biases and isinstance(right, Coefficient):
        added(site, right)  # for what it refuses
        return flow_of(site, left)
    return _joined(site, [left, right])


def subtracts(site: Site, left: Value, right: Value) -> Scaled:
    """A difference from a coefficient, such as a running mean, which is added in absolute value."""
    if isinstance(right, Scaled):
        raise site.refuse("it subtracts a value that depends on the input")
    if right.holds(lambda x: np.any(x == 0) & np.any(x >= -_HIDES)):
        raise site.refuse(
            f"it subtracts 0 from some elements and {-_HIDES:g} or more from others, which would "
            "enter in absolute value; to hide elements multiply them by 0"
        )
    flow = flow_of(site, left)
    if not site.biases:
        return flow
    flow, bias = aligned(flow, jnp.asarray(magnitude(site, right)))
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
    """The larger of two flows, or the positive part: at most 0 against the flow is the flow."""
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


def pads(site: Site, operand: Value, padding: Value) -> Scaled:
    """Padding with 0, or with -inf before a maximum, which are the same for nonnegative values."""
    nothing = isinstance(padding, Coefficient) and padding.holds(
        lambda v: (v == 0) | (v == -np.inf)
    )
    if not isinstance(operand, Scaled) or not nothing:
        raise site.refuse("it pads the flow with a number other than 0")
    zero = jnp.zeros((), operand.mantissa.dtype)
    return replace(operand, mantissa=site.bind(operand.mantissa, zero))


def selects(site: Site, which: Value, *cases: Value) -> Scaled:
    """A choice that doesn't depend on the input."""
    if isinstance(which, Scaled):
        raise site.refuse("it chooses by the value of the flow")
    if which.trained:
        raise site.refuse("it chooses by the values of the params")
    return _joined(site, list(cases), which.value)


def updates(site: Site, operand: Value, update: Value, *starts: Value) -> Scaled:
    """A block of one operand replaced by another."""
    indices = [_index(site, start) for start in starts]
    flow, new = aligned(added(site, operand), added(site, update))
    return replace(flow, mantissa=site.bind(flow.mantissa, new.mantissa, *indices))


def scatters(site: Site, operand: Value, where: Value, update: Value) -> Scaled:
    """Elements of one operand replaced by, or added to, those of another."""
    indices = _index(site, where)
    flow, new = aligned(added(site, operand), added(site, update))
    growth = new.mantissa.size.bit_length()
    return grown(replace(flow, mantissa=site.bind(flow.mantissa, indices, new.mantissa)), growth)


def _index(site: Site, value: Value) -> Any:
    if isinstance(value, Scaled):
        raise site.refuse("the place it reads or writes depends on the input")
    if value.trained:
        raise site.refuse("the place it reads or writes depends on the params")
    return value.value


def same(site: Site, operand: Scaled) -> Scaled:
    """The absolute value of what is nonnegative already."""
    del site
    return operand


def all_reduces(site: Site, *operands: Value) -> Any:
    """A sum over devices, brought to one exponent first."""
    flows = [flow_of(site, operand) for operand in operands]
    common = []
    for flow in flows:
        common += at_exponent(lax.pmax(flow.exponent, site.equation.params["axes"]), flow)
    sums = site.bind(*(flow.mantissa for flow in common))
    if not site.equation.primitive.multiple_results:
        return grown(replace(common[0], mantissa=sums), 16)
    return [grown(replace(f, mantissa=m), 16) for f, m in zip(common, sums, strict=True)]


def powers(site: Site, operand: Value, *exponent: Value) -> Scaled:
    """The first power; all others have another degree."""
    first = site.equation.params.get("y") == 1 or any(
        isinstance(y, Coefficient) and y.holds(lambda y: y == 1) for y in exponent
    )
    if not first or not isinstance(operand, Scaled):
        raise site.refuse("a power other than 1 isn't positively homogeneous")
    return operand


def shows(site: Site, *values: Value) -> list[Value]:
    """What prints or otherwise looks at the flow: the linear network's isn't the network's."""
    del site, values
    return []


RULES: dict[str, Rule] = {
    # Those for which equal slices stay held once.
    **dict.fromkeys("copy copy_p name reduce_precision stop_gradient".split(), passes),
    **dict.fromkeys("reduce_window_max reduce_window_min reduce_window_sum".split(), pools),
    **dict.fromkeys("add add_any".split(), alike(adds)),
    **dict.fromkeys("debug_callback debug_print".split(), shows),
    **dict.fromkeys("integer_pow pow".split(), powers),
    "abs": same,
    "optimization_barrier": passes_each,
    "conv_general_dilated": convolves,
    "convert_element_type": converts,
    "div": alike(divides),
    "max": alike(takes_larger),
    "min": alike(takes_smaller),
    "mul": alike(multiplies),
    "sub": alike(subtracts),
    # The others.
    **dict.fromkeys(
        (
            "broadcast_in_dim dynamic_slice expand_dims layout_constraint "
            "reduce_max reduce_min reshape reshard rev "
            "sharding_constraint slice split squeeze tile transpose cummax cummin"
        ).split(),
        unfolding(passes),
    ),
    **dict.fromkeys("cumsum reduce_sum".split(), unfolding(sums)),
    **dict.fromkeys("psum psum_invariant".split(), unfolding(all_reduces)),
    **dict.fromkeys("device_put pcast pvary".split(), unfolding(passes_each)),
    "concatenate": unfolding(joins),
    "gather": unfolding(gathers),
    "stack": unfolding(joins),
    "dot_general": unfolding(accumulates),
    "dynamic_update_slice": unfolding(updates),
    "pad": unfolding(pads),
    "scatter": unfolding(scatters),
    "scatter-add": unfolding(scatters),
    "select_n": unfolding(selects),
}
