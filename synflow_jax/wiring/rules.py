"""The operations that are understood. All others need all of their operands."""

from synflow_jax.wiring import elementwise, indexing, moves, products, reductions, windows
from synflow_jax.wiring.rule import Rule

RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **moves.RULES,
    **reductions.RULES,
    **products.RULES,
    **windows.RULES,
    **indexing.RULES,
}
