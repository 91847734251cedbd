"""Prune neural networks at initialization: SynFlow and its field, as pure functions for JAX.

A score function turns params into scores, `prune` turns scores into a mask, and
`keep_params_sparse` keeps pruned weights at 0 while any Optax optimizer trains. Compression is the
number of prunable weights before / after, at least 1; density is 1 / compression.

The names in signatures:

- ``Params``: a pytree of floating-point arrays.
- ``Mask``: a pytree like its params. Each leaf is boolean, ``True`` where a weight is kept, and
  broadcasts against its parameter: as many dimensions where the parameter is prunable, scalar
  ``True`` where it isn't.
- ``Scores``: a pytree like its params, one floating-point number a weight. The highest are kept.
- ``ScoreFn``: ``score_fn(params, mask, batch, key) -> scores``, a pure function.
- ``ApplyFn``: ``apply_fn(params, inputs) -> outputs``, the network in inference mode.
- ``LossFn``: ``loss_fn(params, batch) -> scalar``, the mean loss over the batch.
- ``TrainFn``: ``train_fn(params, mask, key) -> params``, which keeps pruned weights at 0.
- ``Schedule``: ``schedule(compression, rounds) -> densities``, float64 of shape ``(rounds,)``.
- ``Prunable``: ``prunable(path, leaf) -> bool``, with a path such as ``"conv1/kernel"``.
- ``Progress``: ``progress(done, rounds, kept)``, called after each round.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from synflow_jax import homogeneous as homogeneous
from synflow_jax.adapters import from_linen as from_linen
from synflow_jax.adapters import from_nnx as from_nnx
from synflow_jax.architectures import FlowTotals as FlowTotals
from synflow_jax.architectures import flow_totals as flow_totals
from synflow_jax.architectures import gradient_norm as gradient_norm
from synflow_jax.architectures import log_synflow_total as log_synflow_total
from synflow_jax.architectures import naswot as naswot
from synflow_jax.architectures import rank as rank
from synflow_jax.architectures import score_total as score_total
from synflow_jax.compaction import Compact as Compact
from synflow_jax.compaction import compact as compact
from synflow_jax.compaction import compact_nnx as compact_nnx
from synflow_jax.diagnostics import EffectiveRow as EffectiveRow
from synflow_jax.diagnostics import LayerRow as LayerRow
from synflow_jax.diagnostics import LayerTable as LayerTable
from synflow_jax.diagnostics import Multiplications as Multiplications
from synflow_jax.diagnostics import density as density
from synflow_jax.diagnostics import effective as effective
from synflow_jax.diagnostics import layer_order as layer_order
from synflow_jax.diagnostics import layer_table as layer_table
from synflow_jax.diagnostics import multiplications as multiplications
from synflow_jax.early_bird import early_bird as early_bird
from synflow_jax.early_bird import mask_distance as mask_distance
from synflow_jax.homogeneous import NonHomogeneousError as NonHomogeneousError
from synflow_jax.losses import cross_entropy as cross_entropy
from synflow_jax.masks import apply_mask as apply_mask
from synflow_jax.masks import full_mask as full_mask
from synflow_jax.masks import is_kernel as is_kernel
from synflow_jax.plots import plot_history as plot_history
from synflow_jax.plots import plot_layers as plot_layers
from synflow_jax.prune import prune as prune
from synflow_jax.rounds import prune_rounds as prune_rounds
from synflow_jax.rounds import round_counts as round_counts
from synflow_jax.schedules import cubic as cubic
from synflow_jax.schedules import exponential as exponential
from synflow_jax.schedules import linear as linear
from synflow_jax.scores import Flow as Flow
from synflow_jax.scores import edge_popup as edge_popup
from synflow_jax.scores import fisher as fisher
from synflow_jax.scores import flow as flow
from synflow_jax.scores import gem_miner as gem_miner
from synflow_jax.scores import grasp as grasp
from synflow_jax.scores import lamp as lamp
from synflow_jax.scores import magnitude as magnitude
from synflow_jax.scores import ntk_sap as ntk_sap
from synflow_jax.scores import path_exclusion as path_exclusion
from synflow_jax.scores import prospr as prospr
from synflow_jax.scores import random as random
from synflow_jax.scores import saliency as saliency
from synflow_jax.scores import snip as snip
from synflow_jax.scores import synflow as synflow
from synflow_jax.selection import TwoWordCount as TwoWordCount
from synflow_jax.selection import block_top_k as block_top_k
from synflow_jax.selection import erdos_renyi as erdos_renyi
from synflow_jax.selection import erdos_renyi_kernel as erdos_renyi_kernel
from synflow_jax.selection import global_top_k as global_top_k
from synflow_jax.selection import igq as igq
from synflow_jax.selection import in_order as in_order
from synflow_jax.selection import kth_highest as kth_highest
from synflow_jax.selection import local_top_k as local_top_k
from synflow_jax.selection import n_m_top_k as n_m_top_k
from synflow_jax.selection import smart_ratio as smart_ratio
from synflow_jax.selection import two_words as two_words
from synflow_jax.selection import uniform_plus as uniform_plus
from synflow_jax.sparse_files import load_mask as load_mask
from synflow_jax.sparse_files import load_sparse as load_sparse
from synflow_jax.sparse_files import save_mask as save_mask
from synflow_jax.sparse_files import save_sparse as save_sparse
from synflow_jax.sparse_training import ChangingState as ChangingState
from synflow_jax.sparse_training import SparseState as SparseState
from synflow_jax.sparse_training import keep_params_sparse as keep_params_sparse
from synflow_jax.sparse_training import mask_of as mask_of
from synflow_jax.sparse_training import prune_gradually as prune_gradually
from synflow_jax.sparse_training import rewire as rewire
from synflow_jax.sparse_training import straight_through as straight_through
from synflow_jax.sweep import sweep as sweep
from synflow_jax.tickets import Ticket as Ticket
from synflow_jax.tickets import TrainFn as TrainFn
from synflow_jax.tickets import tickets as tickets
from synflow_jax.types import ApplyFn as ApplyFn
from synflow_jax.types import GradientScores as GradientScores
from synflow_jax.types import History as History
from synflow_jax.types import LossFn as LossFn
from synflow_jax.types import Mask as Mask
from synflow_jax.types import Params as Params
from synflow_jax.types import Progress as Progress
from synflow_jax.types import Prunable as Prunable
from synflow_jax.types import Schedule as Schedule
from synflow_jax.types import ScoreFn as ScoreFn
from synflow_jax.types import Scores as Scores
from synflow_jax.types import Selection as Selection
from synflow_jax.units import Touched as Touched
from synflow_jax.units import UnitClass as UnitClass
from synflow_jax.units import UnitHistory as UnitHistory
from synflow_jax.units import Units as Units
from synflow_jax.units import prune_units as prune_units
from synflow_jax.units import units as units
from synflow_jax.walks import phew as phew

if TYPE_CHECKING:
    from synflow_jax import models as models


def __getattr__(name: str) -> Any:
    # The zoo needs Flax, which nothing else here does, so it's imported when first asked for.
    if name == "models":
        return import_module("synflow_jax.models")
    raise AttributeError(f"module 'synflow_jax' has no attribute '{name}'")
