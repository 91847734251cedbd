"""What each operation does in the linear network, where everything is nonnegative and scaled."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import source_info_util
from jax.extend.core import JaxprEqn, Literal

from synflow_jax.scaled import Scaled, aligned, grown, normalized, scaled


class NonHomogeneousError(ValueError):
    """The network does something that isn't positively homogeneous in its input."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Coefficient:
    """A value that doesn't depend on the network's input.

    Attributes:
        value: an array of any type.
        nonnegative: whether that's known of it when tracing.
    """

    value: Any
    nonnegative: bool = field(metadata={"static": True})


Value = Scaled | Coefficient


class Site(NamedTuple):
    """Where a rule is applied.

    Attributes:
        equation: the operation, its ``params`` and where it stands in the user's source.
        biases: whether what is added to the flow takes part.
    """

    equation: JaxprEqn
    biases: bool

    def bind(self, *args: Any) -> Any:
        """The operation itself, on arrays."""
        return bind(self.equation, *args)

    def refuse(self, why: str) -> NonHomogeneousError:
        """The error that says where and why, and what to do."""
        place = source_info_util.summarize(self.equation.source_info)
        return NonHomogeneousError(
            f"'{self.equation.primitive.name}' at {place}: {why}. SynFlow needs a network that is "
            "linear once weights and activations are nonnegative; pass the apply_fn of such a "
            "network, or say what the operation does there with sf.homogeneous.register (or "
            "sf.homogeneous.register_activation for a function that stands for the positive part)"
        )


Rule = Callable[..., Any]
"""``rule(site, *values) -> Value`` or, for several results, a list of them."""


def bind(equation: JaxprEqn, *args: Any) -> Any:
    """An equation's operation applied to arrays."""
    params = equation.primitive.get_bind_params(equation.params)
    with equation.ctx.manager:
        return equation.primitive.bind(*args, **params)


def flow_of(value: Value) -> Scaled:
    """``value`` as part of the flow: a coefficient enters in absolute value."""
    return value if isinstance(value, Scaled) else scaled(nonnegative(value))


def nonnegative(coefficient: Coefficient) -> jax.Array:
    """A coefficient in absolute value."""
    value = jnp.asarray(coefficient.value)
    return value if coefficient.nonnegative else jnp.abs(value)


def passes(site: Site, *values: Value) -> Any:
    """What moves or picks elements of one operand: the mantissa goes through."""
    operand, *rest = values
    if not isinstance(operand, Scaled) or any(isinstance(value, Scaled) for value in rest):
        raise site.refuse("it depends on the input in more than its operand")
    results = site.bind(operand.mantissa, *(value.value for value in rest))
    if site.equation.primitive.multiple_results:
        return [replace(operand, mantissa=result) for result in results]
    return replace(operand, mantissa=results)


def sums(site: Site, operand: Value) -> Scaled:
    """Sums of elements of one operand."""
    result = passes(site, operand)
    terms = math.prod(operand.mantissa.shape) // max(1, math.prod(result.mantissa.shape))
    if site.equation.primitive.name in ("cumsum", "reduce_window_sum"):
        terms = operand.mantissa.size
    return grown(result, max(1, terms).bit_length())


def converts(site: Site, operand: Scaled) -> Scaled:
    """A change of floating-point type."""
    if not jnp.issubdtype(site.equation.params["new_dtype"], jnp.floating):
        raise site.refuse("it turns the flow into integers, which decides by value")
    operand = normalized(operand)
    return replace(operand, mantissa=site.bind(operand.mantissa))


def multiplies(site: Site, left: Value, right: Value) -> Scaled:
    """A product with a coefficient, element by element."""
    return grown(_product(site, left, right), 20)


def accumulates(site: Site, left: Value, right: Value) -> Scaled:
    """A matrix product or convolution with a coefficient."""
    return normalized(_product(site, left, right))


def _product(site: Site, left: Value, right: Value) -> Scaled:
    match left, right:
        case Scaled(), Coefficient():
            return replace(left, mantissa=site.bind(left.mantissa, nonnegative(right)))
        case Coefficient(), Scaled():
            return replace(right, mantissa=site.bind(nonnegative(left), right.mantissa))
    raise site.refuse("a product of two values that both depend on the input has degree 2")


def divides(site: Site, left: Value, right: Value) -> Scaled:
    """A quotient by a coefficient."""
    if isinstance(right, Scaled):
        raise site.refuse("it divides by a value that depends on the input")
    return multiplies(site, left, right)


def adds(site: Site, left: Value, right: Value) -> Scaled:
    """A sum. What doesn't depend on the input is a bias."""
    if isinstance(left, Scaled) and isinstance(right, Scaled):
        return _joined(site, [left, right])
    flow, bias = (left, right) if isinstance(left, Scaled) else (right, left)
    if not site.biases:
        return flow
    return _joined(site, [flow, flow_of(bias)])


def subtracts(site: Site, left: Value, right: Value) -> Scaled:
    """A difference from a coefficient, such as a running mean, which is added in absolute value."""
    if isinstance(right, Scaled):
        raise site.refuse("it subtracts a value that depends on the input")
    flow = flow_of(left)
    if not site.biases:
        return flow
    flow, bias = aligned(flow, flow_of(right))
    return grown(replace(flow, mantissa=flow.mantissa + bias.mantissa), 1)


def _joined(site: Site, values: list[Value], *others: Any) -> Scaled:
    """The operation on values brought to one exponent."""
    flows = aligned(*(flow_of(value) for value in values))
    return grown(replace(flows[0], mantissa=site.bind(*others, *(f.mantissa for f in flows))), 1)


def joins(site: Site, *values: Value) -> Scaled:
    """What puts several operands into one, such as a concatenation."""
    return _joined(site, list(values))


def takes_larger(site: Site, left: Value, right: Value) -> Scaled:
    """The larger of two flows, or the positive part: at most 0 against the flow is the flow."""
    if isinstance(left, Scaled) and isinstance(right, Scaled):
        return _joined(site, [left, right])
    flow, bound = (left, right) if isinstance(left, Scaled) else (right, left)
    if not _known(bound, lambda value: value <= 0):
        raise site.refuse("it compares the flow with a number that isn't known to be 0 or less")
    return flow


def takes_smaller(site: Site, left: Value, right: Value) -> Scaled:
    """The smaller of two flows."""
    if isinstance(left, Scaled) and isinstance(right, Scaled):
        return _joined(site, [left, right])
    raise site.refuse("it compares the flow with a number, which decides by value")


def pads(site: Site, operand: Value, padding: Value) -> Scaled:
    """Padding with 0, or with -inf before a maximum, which are the same for nonnegative values."""
    if not isinstance(operand, Scaled) or not _known(padding, lambda v: (v == 0) | (v == -np.inf)):
        raise site.refuse("it pads the flow with a number other than 0")
    zero = jnp.zeros((), operand.mantissa.dtype)
    return replace(operand, mantissa=site.bind(operand.mantissa, zero))


def selects(site: Site, which: Value, *cases: Value) -> Scaled:
    """A choice that doesn't depend on the input."""
    if isinstance(which, Scaled):
        raise site.refuse("it chooses by the value of the flow")
    return _joined(site, list(cases), which.value)


def updates(site: Site, operand: Value, update: Value, *indices: Value) -> Scaled:
    """A part of one operand replaced by another."""
    if any(isinstance(index, Scaled) for index in indices):
        raise site.refuse("where it writes depends on the input")
    flows = aligned(flow_of(operand), flow_of(update))
    mantissa = site.bind(*(f.mantissa for f in flows), *(index.value for index in indices))
    return grown(replace(flows[0], mantissa=mantissa), 1)


def same(site: Site, operand: Scaled) -> Scaled:
    """The absolute value of what is nonnegative already."""
    del site
    return operand


def all_reduces(site: Site, *operands: Value) -> list[Scaled]:
    """A sum over devices, brought to one exponent first."""
    axes = site.equation.params["axes"]
    results = []
    for operand in operands:
        flow = flow_of(operand)
        exponent = lax.pmax(flow.exponent, axes)
        common = aligned(flow, Scaled(jnp.zeros((), flow.mantissa.dtype), exponent))[0]
        (mantissa,) = site.bind(common.mantissa)
        results.append(grown(replace(common, mantissa=mantissa), 16))
    return results


def _known(value: Value, holds: Callable[[np.ndarray], Any]) -> bool:
    """Whether something holds of a coefficient whose numbers are known when tracing."""
    if isinstance(value, Scaled) or isinstance(value.value, jax.core.Tracer):
        return False
    return bool(np.all(holds(np.asarray(value.value))))


def coefficient(equation: JaxprEqn, values: list[Coefficient]) -> list[Coefficient]:
    """An operation on coefficients alone: done as it is."""
    results = bind(equation, *(value.value for value in values))
    name = equation.primitive.name
    known = name in _NONNEGATIVE or (
        name in _KEEP_NONNEGATIVE and all(value.nonnegative for value in values)
    )
    results = results if equation.primitive.multiple_results else [results]
    return [Coefficient(result, known) for result in results]


def literal(value: Literal) -> Coefficient:
    """A number written in the program."""
    return Coefficient(value.val, bool(np.all(np.asarray(value.val) >= 0)))


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "broadcast_in_dim copy copy_p device_put dynamic_slice expand_dims gather "
            "layout_constraint name optimization_barrier pcast pvary reduce_max reduce_min "
            "reduce_precision reduce_window_max reduce_window_min reshape reshard rev "
            "sharding_constraint slice split squeeze stop_gradient transpose cummax cummin"
        ).split(),
        passes,
    ),
    **dict.fromkeys("cumsum reduce_sum reduce_window_sum".split(), sums),
    **dict.fromkeys("dot_general conv_general_dilated".split(), accumulates),
    **dict.fromkeys("psum psum_invariant".split(), all_reduces),
    **dict.fromkeys("add add_any".split(), adds),
    "abs": same,
    "concatenate": joins,
    "convert_element_type": converts,
    "div": divides,
    "dynamic_update_slice": updates,
    "max": takes_larger,
    "min": takes_smaller,
    "mul": multiplies,
    "pad": pads,
    "select_n": selects,
    "sub": subtracts,
}

_NONNEGATIVE = frozenset("abs exp exp2 iota logistic rsqrt sqrt square".split())
_KEEP_NONNEGATIVE = frozenset(
    (
        "add add_any broadcast_in_dim concatenate conv_general_dilated convert_element_type copy "
        "copy_p cumsum div dot_general dynamic_slice dynamic_update_slice expand_dims gather "
        "integer_pow max min mul name optimization_barrier pad reduce_max reduce_min reduce_sum "
        "reduce_window_max reduce_window_sum reshape rev select_n sharding_constraint slice split "
        "squeeze stop_gradient transpose"
    ).split()
)
