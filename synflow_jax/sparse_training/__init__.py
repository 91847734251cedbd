"""Sparse training: masks under any Optax optimizer, that stay or change while it trains.

`static`, a mask that stays; `gradual`, one that keeps fewer and fewer weights; `rewiring`, one that
keeps as many and changes which (`exchange`, the rule of one layer; `momenta`, what the optimizer
remembered of them); `straight_through`, one that is made anew in each forward pass. What they share
are `steps`, when masks change, and `masked`, the step of the inner optimizer under a mask.
"""

from synflow_jax.sparse_training.gradual import prune_gradually as prune_gradually
from synflow_jax.sparse_training.mask_of import mask_of as mask_of
from synflow_jax.sparse_training.rewiring import rewire as rewire
from synflow_jax.sparse_training.states import ChangingState as ChangingState
from synflow_jax.sparse_training.states import SparseState as SparseState
from synflow_jax.sparse_training.static import keep_params_sparse as keep_params_sparse
from synflow_jax.sparse_training.straight_through import straight_through as straight_through
