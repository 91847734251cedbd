"""The operations that are understood. All others need all of their operands."""

from synflow_jax.wiring import elementwise, indexing, moves, products, reductions, windows
from synflow_jax.wiring.program import Program, Step
from synflow_jax.wiring.reductions import AVERAGE
from synflow_jax.wiring.rule import Rule

_RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **moves.RULES,
    **reductions.RULES,
    **products.RULES,
    **windows.RULES,
    **indexing.RULES,
}


def rule_of(program: Program, step: Step) -> Rule | None:
    """The rule of a step, if there is one."""
    return AVERAGE if step in program.averages else _RULES.get(step.name)
