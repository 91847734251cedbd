"""The rounds of pruning, which `prune`, `sweep` and `tickets` share.

What they start from (`counts`), the pure loop (`loop`), its compiled call and the checks of what
came out (`compiled`, `zero_scores`), and what is told meanwhile (`progress`).
"""

from synflow_jax.rounds.compiled import check_history as check_history
from synflow_jax.rounds.compiled import compiled_rounds as compiled_rounds
from synflow_jax.rounds.compiled import with_exact_kept as with_exact_kept
from synflow_jax.rounds.counts import are_as_counted as are_as_counted
from synflow_jax.rounds.counts import counts_from_all as counts_from_all
from synflow_jax.rounds.counts import round_counts as round_counts
from synflow_jax.rounds.counts import round_densities as round_densities
from synflow_jax.rounds.counts import start_mask as start_mask
from synflow_jax.rounds.loop import check_scores as check_scores
from synflow_jax.rounds.loop import prune_rounds as prune_rounds
from synflow_jax.rounds.progress import check_progress as check_progress
from synflow_jax.rounds.zero_scores import check_zero_scores as check_zero_scores
from synflow_jax.rounds.zero_scores import may_be_zero as may_be_zero
