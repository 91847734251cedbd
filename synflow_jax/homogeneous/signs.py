"""What is known of the signs of a coefficient, and what an operation makes of them.

A coefficient that depends on the params has scores that can't be negative if each of its elements
is plus or minus a sum of products of params and nonnegative constants: in absolute value it then
rises with every param. For that the signs of a product's factors needn't be known, but all terms of
a sum must have one sign, and it must be known.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any


class Sign(Enum):
    """What is known of all elements of a coefficient."""

    NONNEGATIVE = "sums of products, at least 0"
    NONPOSITIVE = "sums of products, at most 0"
    EITHER = "each element one of these, which isn't known"
    MIXED = "another function of the params, whose scores could be negative"


def common_sign(signs: Sequence[Sign]) -> Sign:
    """The sign of elements taken from several coefficients."""
    if Sign.MIXED in signs:
        return Sign.MIXED
    return signs[0] if len(set(signs)) == 1 else Sign.EITHER


def negated(sign: Sign) -> Sign:
    """The sign of a coefficient times -1."""
    swapped = {Sign.NONNEGATIVE: Sign.NONPOSITIVE, Sign.NONPOSITIVE: Sign.NONNEGATIVE}
    return swapped.get(sign, sign)


def result_sign(
    name: str, params: dict[str, Any], signs: Sequence[Sign], trained: Sequence[bool]
) -> Sign:
    """The sign of what an operation makes of coefficients.

    Args:
        name: of the primitive.
        params: of the equation.
        signs: of the floating-point operands.
        trained: whether each of them depends on the params.
    """
    unclear = Sign.MIXED if any(trained) else Sign.EITHER
    if Sign.MIXED in signs or not signs:
        return unclear
    if name in _ONE_SIGN:
        sign = _ONE_SIGN[name](signs)
        return unclear if sign is Sign.EITHER else sign
    if name in _EACH_ELEMENT:
        return _EACH_ELEMENT[name](signs)
    if name == "div" and not trained[1]:
        return _product(signs)
    if name == "integer_pow" and (params["y"] > 0 or not trained[0]):
        return Sign.NONNEGATIVE if params["y"] % 2 == 0 else signs[0]
    positive = name in ("exp", "exp2", "logistic", "rsqrt", "sqrt") and not any(trained)
    return Sign.NONNEGATIVE if positive else unclear


def _product(signs: Sequence[Sign]) -> Sign:
    if Sign.EITHER in signs:
        return Sign.EITHER
    odd = sum(sign is Sign.NONPOSITIVE for sign in signs) % 2
    return Sign.NONPOSITIVE if odd else Sign.NONNEGATIVE


def _difference(signs: Sequence[Sign]) -> Sign:
    return common_sign([signs[0], negated(signs[1])])


def _largest(signs: Sequence[Sign]) -> Sign:
    return Sign.NONNEGATIVE if Sign.NONNEGATIVE in signs else common_sign(signs)


def _smallest(signs: Sequence[Sign]) -> Sign:
    return Sign.NONPOSITIVE if Sign.NONPOSITIVE in signs else common_sign(signs)


_SignRule = Callable[[Sequence[Sign]], Sign]

# Operations that add or compare elements, which therefore must have one sign.
_ONE_SIGN: dict[str, _SignRule] = {
    **dict.fromkeys("add add_any cumsum psum psum_invariant reduce_sum".split(), common_sign),
    **dict.fromkeys("reduce_window_sum scatter-add".split(), common_sign),
    **dict.fromkeys("cummax max reduce_max reduce_window_max".split(), _largest),
    **dict.fromkeys("cummin min reduce_min reduce_window_min".split(), _smallest),
    **dict.fromkeys("conv_general_dilated dot_general".split(), _product),
    "sub": _difference,
}
# Operations that work on each element by itself, or move it.
_EACH_ELEMENT: dict[str, _SignRule] = {
    **dict.fromkeys(
        (
            "broadcast_in_dim concatenate convert_element_type copy copy_p dynamic_slice "
            "dynamic_update_slice expand_dims gather name pad reduce_precision reshape rev scatter "
            "select_n sharding_constraint slice split squeeze stack tile transpose"
        ).split(),
        common_sign,
    ),
    **dict.fromkeys("abs square".split(), lambda _: Sign.NONNEGATIVE),
    "mul": _product,
    "neg": lambda signs: negated(signs[0]),
}
