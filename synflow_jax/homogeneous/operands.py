"""How operands enter a rule: as part of the flow, as a coefficient, as an index."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax.homogeneous.equations import Site
from synflow_jax.homogeneous.repeats import common, finer
from synflow_jax.homogeneous.scaled import Scaled, scaled, unfolded
from synflow_jax.homogeneous.signs import Sign
from synflow_jax.homogeneous.values import Coefficient, Value

Rule = Callable[..., Any]
"""``rule(site, *values) -> Value`` or, for several results, a list of them."""


def all_unfolded(values: Sequence[Value]) -> list[Value]:
    """The values with all their slices, equal ones too."""
    return [unfolded(value) if isinstance(value, Scaled) else value for value in values]


def unfolding(rule: Rule) -> Rule:
    """``rule`` on operands with all their slices, equal ones too."""
    return lambda site, *values: rule(site, *all_unfolded(values))


def alike(rule: Rule) -> Rule:
    """``rule``, which works element by element, on operands that hold slices alike."""
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
    return value if isinstance(value, Scaled) else scaled(absolute(site, value))


def absolute(site: Site, coefficient: Coefficient) -> jax.Array | np.ndarray:
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


def index_of(site: Site, value: Value) -> Any:
    """``value`` as the index where an operation reads or writes, an integer array."""
    if isinstance(value, Scaled):
        raise site.refuse("the place it reads or writes depends on the input")
    if value.trained:
        raise site.refuse("the place it reads or writes depends on the params")
    return value.value
