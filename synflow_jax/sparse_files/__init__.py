"""A pruned network in one file: the weights that are kept, and the mask as bits; or masks alone."""

from synflow_jax.sparse_files.load import load_sparse as load_sparse
from synflow_jax.sparse_files.masks import load_mask as load_mask
from synflow_jax.sparse_files.masks import save_mask as save_mask
from synflow_jax.sparse_files.save import save_sparse as save_sparse
