"""Operations on elements that stand at the same place."""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from synflow_jax.wiring.constraints import Constraint
from synflow_jax.wiring.facts import Fact, joined
from synflow_jax.wiring.program import Program, Step
from synflow_jax.wiring.rule import Context, Rule, nothing_known, unchanged


def tie(context: Context, step: Step) -> list[Constraint]:
    """All operands of full rank have the indices of the results."""
    found: list[Constraint] = []
    for result in step.results:
        rank = len(context.program.shape(result))
        for operand in step.operands:
            if len(context.program.shape(operand)) == rank:
                found += context.spread(operand, result, step, {axis: axis for axis in range(rank)})
    return found


def tie_each(context: Context, step: Step) -> list[Constraint]:
    """Each operand has the indices of its own result."""
    found: list[Constraint] = []
    for operand, result in zip(step.operands, step.results, strict=True):
        rank = len(context.program.shape(result))
        found += context.tied(operand, result, {axis: axis for axis in range(rank)})
    return found


def same_facts(step: Step, program: Program, *facts: Fact) -> list[Fact]:
    """Results that are the operands."""
    del step, program
    return list(facts)


def still(step: Step, program: Program, *facts: Fact) -> list[Fact]:
    """The operand, through which no gradient goes."""
    return [fact._replace(moves=np.zeros_like(fact.moves)) for fact in facts]


def _any(*flags: Any) -> Any:
    found = flags[0]
    for flag in flags[1:]:
        found = found | flag
    return found


def evaluated(
    numbers: Callable[..., np.ndarray],
    varies: Callable[..., np.ndarray] = lambda *facts: _any(*(fact.varies for fact in facts)),
    moves: Callable[..., np.ndarray] = lambda *facts: _any(*(fact.moves for fact in facts)),
) -> Callable[..., list[Fact]]:
    """Facts of a NumPy function, given where it varies and where it moves."""

    def fact(step: Step, program: Program, *facts: Fact) -> list[Fact]:
        aval = program.avals[step.results[0]]
        given = [
            np.asarray(fact.number, program.avals[operand].dtype)
            for fact, operand in zip(facts, step.operands, strict=True)
        ]
        with np.errstate(all="ignore"):
            number = np.asarray(numbers(step, *given))
        if jnp.issubdtype(aval.dtype, jnp.number) or aval.dtype == bool:
            number = number.astype(aval.dtype)
        moving = moves(*facts) if jnp.issubdtype(aval.dtype, jnp.floating) else np.False_
        rank = len(aval.shape)
        found = Fact(varies(*facts), number, moving)
        return [
            Fact(*(np.asarray(a).reshape((1,) * (rank - np.ndim(a)) + np.shape(a)) for a in found))
        ]

    return fact


def _chosen(step: Step, program: Program, *facts: Fact) -> list[Fact]:
    """One of the cases where it's known which, else what they have in common."""
    which, *cases = facts
    number = np.asarray(which.number).astype(int)
    conditions = [~which.varies & (number == index) for index in range(len(cases))]
    common = reduce(joined, cases)
    varies, value, moves = common
    for condition, case in zip(conditions, cases, strict=True):
        varies = np.where(condition, case.varies, varies)
        value = np.where(condition, case.number, value)
        moves = np.where(condition, case.moves, moves)
    return [Fact(varies, value, moves)]


def _product_varies(a: Fact, b: Fact) -> np.ndarray:
    return (a.varies & b.alive) | (b.varies & a.alive)


def _product_moves(a: Fact, b: Fact) -> np.ndarray:
    return (a.moves & b.alive) | (b.moves & a.alive)


def _quotient_varies(a: Fact, b: Fact) -> np.ndarray:
    return a.varies | (b.varies & a.alive)


def _quotient_moves(a: Fact, b: Fact) -> np.ndarray:
    return a.moves | (b.moves & a.alive)


def _larger_moves(a: Fact, b: Fact) -> np.ndarray:
    return (a.moves & (a.number >= b.number)) | (b.moves & (b.number >= a.number))


def _smaller_moves(a: Fact, b: Fact) -> np.ndarray:
    return (a.moves & (a.number <= b.number)) | (b.moves & (b.number <= a.number))


def _moves_unless_zero(a: Fact) -> np.ndarray:
    """Where the derivative is 0 at 0."""
    return a.moves & (a.number != 0)


def _rounded(step: Step, x: np.ndarray) -> np.ndarray:
    if step.equation.params["rounding_method"] == lax.RoundingMethod.TO_NEAREST_EVEN:
        return np.round(x)
    return np.trunc(x + np.copysign(0.5, x))


def _never(*facts: Fact) -> np.ndarray:
    return np.zeros((1,) * max(np.ndim(fact.number) for fact in facts), bool)


def _plain(function: Callable[..., Any]) -> Callable[..., np.ndarray]:
    return lambda step, *numbers: function(*numbers)


def _integer_power(step: Step, program: Program, *facts: Fact) -> list[Fact]:
    moves = (lambda a: a.moves) if step.equation.params["y"] < 2 else _moves_unless_zero
    power = evaluated(lambda step, a: a ** float(step.equation.params["y"]), moves=moves)
    return power(step, program, *facts)


_UNARY: dict[str, Callable[..., Any]] = {
    "ceil": np.ceil,
    "convert_element_type": np.asarray,
    "cbrt": np.cbrt,
    "copy": np.asarray,
    "copy_p": np.asarray,
    "cos": np.cos,
    "erf": np.vectorize(math.erf, otypes=[float]),
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "floor": np.floor,
    "log": np.log,
    "log1p": np.log1p,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "name": np.asarray,
    "neg": np.negative,
    "reduce_precision": np.asarray,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sin": np.sin,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}
_COMPARISONS: dict[str, Callable[..., Any]] = {
    "and": np.bitwise_and,
    "eq": np.equal,
    "ge": np.greater_equal,
    "gt": np.greater,
    "is_finite": np.isfinite,
    "le": np.less_equal,
    "lt": np.less,
    "ne": np.not_equal,
    "not": np.invert,
    "or": np.bitwise_or,
    "sign": np.sign,
    "xor": np.bitwise_xor,
}
_FACTS: dict[str, Callable[..., list[Fact]]] = {
    **{name: evaluated(_plain(function)) for name, function in _UNARY.items()},
    **{name: evaluated(_plain(fn), moves=_never) for name, fn in _COMPARISONS.items()},
    "abs": evaluated(_plain(np.abs)),  # JAX's derivative at 0 is 1
    "add": evaluated(_plain(np.add)),
    "add_any": evaluated(_plain(np.add)),
    "clamp": evaluated(lambda step, low, x, high: np.clip(x, low, high)),
    "div": evaluated(_plain(np.divide), _quotient_varies, _quotient_moves),
    "integer_pow": _integer_power,
    "max": evaluated(_plain(np.maximum), moves=_larger_moves),
    "min": evaluated(_plain(np.minimum), moves=_smaller_moves),
    "mul": evaluated(_plain(np.multiply), _product_varies, _product_moves),
    "round": evaluated(_rounded, moves=_never),
    "select_n": _chosen,
    "square": evaluated(_plain(np.square), moves=_moves_unless_zero),
    "stop_gradient": still,
    "sub": evaluated(_plain(np.subtract)),
}
# Those of which no facts are worked out.
_OTHERS = (
    "acos acosh asin asinh atan atan2 atanh cosh digamma erfc erf_inv lgamma nextafter pow rem "
    "shift_left shift_right_arithmetic shift_right_logical sinh"
).split()

RULES: dict[str, Rule] = {
    **{name: Rule(tie, nothing_known, unchanged) for name in _OTHERS},
    **{name: Rule(tie, fact, unchanged) for name, fact in _FACTS.items()},
    **{
        name: Rule(tie_each, same_facts, unchanged)
        for name in ("optimization_barrier", "pvary", "pcast", "device_put", "sharding_constraint")
    },
}

ELEMENTWISE = frozenset(RULES)
"""The operations on elements that stand at the same place."""
