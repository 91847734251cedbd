"""Scores of untrained architectures: one number a network, all networks of a space in one program.

A *measure* is a function ``measure(params, choice, batch) -> numbers`` of a super network, in which
a choice weighs the operations. `rank` takes it to all choices (`ranking`). Measures are the flow
and what it says of SynFlow's sum (`flows`), sums of any score function's scores and the gradient's
norm (`sums`), and NASWOT (`patterns`).
"""

from synflow_jax.architectures.flows import FlowTotals as FlowTotals
from synflow_jax.architectures.flows import flow_totals as flow_totals
from synflow_jax.architectures.flows import log_synflow_total as log_synflow_total
from synflow_jax.architectures.patterns import naswot as naswot
from synflow_jax.architectures.ranking import rank as rank
from synflow_jax.architectures.sums import gradient_norm as gradient_norm
from synflow_jax.architectures.sums import score_total as score_total
