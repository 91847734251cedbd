"""Prune neural networks at initialization: SynFlow and its field, as pure functions for JAX."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from synflow_jax import homogeneous as homogeneous
from synflow_jax.adapters import from_linen as from_linen
from synflow_jax.adapters import from_nnx as from_nnx
from synflow_jax.diagnostics import LayerTable as LayerTable
from synflow_jax.diagnostics import density as density
from synflow_jax.diagnostics import layer_table as layer_table
from synflow_jax.homogeneous import NonHomogeneousError as NonHomogeneousError
from synflow_jax.losses import cross_entropy as cross_entropy
from synflow_jax.masks import apply_mask as apply_mask
from synflow_jax.masks import full_mask as full_mask
from synflow_jax.masks import is_kernel as is_kernel
from synflow_jax.optimizer import keep_params_sparse as keep_params_sparse
from synflow_jax.prune import prune as prune
from synflow_jax.rounds import prune_rounds as prune_rounds
from synflow_jax.rounds import round_counts as round_counts
from synflow_jax.schedules import exponential as exponential
from synflow_jax.schedules import linear as linear
from synflow_jax.scores import flow as flow
from synflow_jax.scores import grasp as grasp
from synflow_jax.scores import magnitude as magnitude
from synflow_jax.scores import random as random
from synflow_jax.scores import snip as snip
from synflow_jax.scores import synflow as synflow
from synflow_jax.selection import global_top_k as global_top_k
from synflow_jax.selection import kth_highest as kth_highest
from synflow_jax.selection import local_top_k as local_top_k
from synflow_jax.sweep import sweep as sweep
from synflow_jax.tickets import Ticket as Ticket
from synflow_jax.tickets import tickets as tickets
from synflow_jax.types import History as History
from synflow_jax.types import Selection as Selection

if TYPE_CHECKING:
    from synflow_jax import models as models


def __getattr__(name: str) -> Any:
    # The zoo needs Flax, which nothing else here does, so it's imported when first asked for.
    if name == "models":
        return import_module("synflow_jax.models")
    raise AttributeError(f"module 'synflow_jax' has no attribute '{name}'")
