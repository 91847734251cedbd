"""Pictures of masks and of how they were found. Needs the extra ``plot``."""

from synflow_jax.plots.history import plot_history as plot_history
from synflow_jax.plots.layers import plot_layers as plot_layers
