"""What values and steps are to the linear network of attention, normalization and gates."""

from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    """What a value is.

    Attributes:
        FIXED: it doesn't depend on the inputs.
        IDS: integers of the inputs, and what is made of them before they choose rows.
        FLOW: part of the flow.
        SQUARE: a flow times itself.
        STATISTIC: a mean of squares, and what is made of it: held constant.
        EXPONENTIAL: of a flow, before it's divided by its sum.
        TOTAL: a sum of exponentials.
        WEIGHTS: exponentials divided by their sum: a coefficient of the flow.
    """

    FIXED = auto()
    IDS = auto()
    FLOW = auto()
    SQUARE = auto()
    STATISTIC = auto()
    EXPONENTIAL = auto()
    TOTAL = auto()
    WEIGHTS = auto()


class Action(Enum):
    """What the linear network does in place of a step.

    Attributes:
        RULE: the operation's rule.
        SAME: the flow among the operands goes on as it is.
        START: rows of an embedding start the flow.
        ONES: a statistic, which is 1.
        BIND: the operation itself, on coefficients.
        MASK: the flow is 0 where large negative numbers stand or are added.
        UNSIGNED: a negated flow is the flow, a difference of two a sum, as in a rotation of queries
            and keys; nowhere else.
        SHARE: the flow divided by its sum.
        MEET: a product of two flows, that only weights are made of.
        WEIGH: a product of the flow and of weights or a gate.
        NOTHING: what nothing is made of.
    """

    RULE = auto()
    SAME = auto()
    START = auto()
    ONES = auto()
    BIND = auto()
    MASK = auto()
    UNSIGNED = auto()
    SHARE = auto()
    MEET = auto()
    WEIGH = auto()
    NOTHING = auto()


class Info(NamedTuple):
    """What is known of a value.

    Attributes:
        kind: what it is.
        origin: the value that it's a mean, a maximum or a sum of; itself if it's none.
        gate: of a flow that went through an activation since its last kernel 1, through one
            between 0 and 1, such as a sigmoid, 2; else 0.
        logits: whether it's a product of two flows, of which weights may be made and no more.
        trained: whether it depends on the params.
        squared: whether it's a function of the params that is made of squares.
        axes: of a total, those that were summed over, counted from the last.
    """

    kind: Kind
    origin: int
    gate: int = 0
    logits: bool = False
    trained: bool = False
    squared: bool = False
    axes: tuple[int, ...] = ()


class Decision(NamedTuple):
    """What is done at a step.

    Attributes:
        action: what.
        flow: which operand carries the flow.
        weight: which operand weighs it, if one does.
    """

    action: Action
    flow: int = 0
    weight: int | None = None
