"""Scans of the linear network: what a loop carries along has one form in every step."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from synflow_jax.homogeneous.equations import Site
from synflow_jax.homogeneous.operands import all_unfolded, flow_of
from synflow_jax.homogeneous.scaled import Scaled, normalized, with_one_exponent
from synflow_jax.homogeneous.signs import common_sign
from synflow_jax.homogeneous.values import Coefficient, Value, with_array


def scanned(
    site: Site,
    interpret: Callable[..., list[list[Value]]],
    networks: list[list[Value]],
) -> list[list[Value]]:
    """A scan of the bodies of linear networks side by side. Flows carry their exponents along.

    Args:
        site: of the scan.
        interpret: the operands of the body in each network to its results in each.
        networks: the scan's operands in each network.
    """
    params = site.equation.params
    consts, carry = _scan_sizes(params)
    fixed = [operands[:consts] for operands in networks]
    start = [_settled(x) for operands in networks for x in operands[consts : consts + carry]]
    xs = [x for operands in networks for x in operands[consts + carry :]]

    def body(carried: list[Value], slices: list[jax.Array]) -> tuple[list[Value], list[Value]]:
        values = [with_array(x, part) for x, part in zip(xs, slices, strict=True)]
        parts = zip(fixed, _parts(carried, networks), _parts(values, networks), strict=True)
        results = interpret(*([*own, *state, *each] for own, state, each in parts))
        results = [all_unfolded(each) for each in results]
        ends = [value for each in results for value in each[:carry]]
        after = [_like(site, *pair) for pair in zip(carried, ends, strict=True)]
        return after, [value for each in results for value in each[carry:]]

    arrays = [x.mantissa if isinstance(x, Scaled) else x.value for x in xs]
    first = [jax.ShapeDtypeStruct(jnp.shape(x)[1:], jnp.result_type(x)) for x in arrays]
    before = None
    while before is None or _kinds(before) != _kinds(start):
        before, (after, _) = start, jax.eval_shape(body, start, first)
        start = [_like(site, *pair) for pair in zip(after, start, strict=True)]
    final, stacked = lax.scan(
        body, start, arrays, params["length"], params["reverse"], params["unroll"]
    )
    stacked = [_common_exponent(value) for value in stacked]
    both = zip(_parts(final, networks), _parts(stacked, networks), strict=True)
    return [[*ends, *each] for ends, each in both]


def _parts(values: list[Value], networks: list[Any]) -> list[list[Value]]:
    """The values of each network."""
    size = len(values) // len(networks)
    return [values[i * size : (i + 1) * size] for i in range(len(networks))]


def _like(site: Site, pattern: Value, value: Value) -> Value:
    """``value``, settled, with no more known of it than of both: one body of a loop takes both."""
    if isinstance(pattern, Scaled) or isinstance(value, Scaled):
        return _settled(flow_of(site, value))
    sign, trained = common_sign([pattern.sign, value.sign]), pattern.trained or value.trained
    return replace(_settled(value), trained=trained, sign=sign)


def _kinds(values: Sequence[Value]) -> list[Any]:
    """All that is known of values when tracing."""
    return jax.tree.structure(list(values))


def _scan_sizes(params: dict[str, Any]) -> tuple[int, int]:
    """How many operands of a scan are constant, and how many are carried."""
    if "ft_in" in params:  # since JAX 0.11
        consts, carry, _ = params["ft_in"].unpack()
        return len(consts), len(carry)
    return params["num_consts"], params["num_carry"]


def _settled(value: Value) -> Value:
    """``value`` in the form that it has after any step of a loop."""
    if isinstance(value, Scaled):
        return normalized(value)
    return replace(value, value=jnp.asarray(value.value), known=None)


def _common_exponent(value: Value) -> Value:
    """What a scan stacked, each step's with its own exponent, as one value."""
    if isinstance(value, Coefficient):
        return value
    return with_one_exponent(value)
