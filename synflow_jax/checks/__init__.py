"""What the front doors refuse, each with the values and what to pass instead."""

from synflow_jax.checks.arguments import check_bool as check_bool
from synflow_jax.checks.arguments import check_callable as check_callable
from synflow_jax.checks.arguments import check_compression as check_compression
from synflow_jax.checks.arguments import check_compressions as check_compressions
from synflow_jax.checks.arguments import check_instance as check_instance
from synflow_jax.checks.arguments import check_key as check_key
from synflow_jax.checks.arguments import check_keys as check_keys
from synflow_jax.checks.arguments import check_number as check_number
from synflow_jax.checks.arguments import check_params_fn as check_params_fn
from synflow_jax.checks.arguments import check_rounds as check_rounds
from synflow_jax.checks.arguments import check_score_fn as check_score_fn
from synflow_jax.checks.arguments import check_selection as check_selection
from synflow_jax.checks.arguments import check_whole as check_whole
from synflow_jax.checks.arguments import shown as shown
from synflow_jax.checks.paths import leaf_name as leaf_name
from synflow_jax.checks.paths import named_leaves as named_leaves
from synflow_jax.checks.trees import called as called
from synflow_jax.checks.trees import check_alive as check_alive
from synflow_jax.checks.trees import check_batch as check_batch
from synflow_jax.checks.trees import check_float_output as check_float_output
from synflow_jax.checks.trees import check_mask as check_mask
from synflow_jax.checks.trees import check_names as check_names
from synflow_jax.checks.trees import check_params as check_params
from synflow_jax.checks.trees import check_scalars as check_scalars
from synflow_jax.checks.trees import check_structure as check_structure
from synflow_jax.checks.trees import check_values as check_values
