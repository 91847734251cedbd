"""What a mask keeps, and what that costs and leads to: by layer, in products, and on paths.

And the order in which a network uses its layers, which `in_order` takes.
"""

from synflow_jax.diagnostics.effective import effective as effective
from synflow_jax.diagnostics.layers import EffectiveRow as EffectiveRow
from synflow_jax.diagnostics.layers import LayerRow as LayerRow
from synflow_jax.diagnostics.layers import LayerTable as LayerTable
from synflow_jax.diagnostics.layers import density as density
from synflow_jax.diagnostics.layers import layer_table as layer_table
from synflow_jax.diagnostics.multiplications import Multiplications as Multiplications
from synflow_jax.diagnostics.multiplications import multiplications as multiplications
from synflow_jax.diagnostics.order import layer_order as layer_order
