"""Units: weights that go together, and pruning them on purpose.

`finding` reads off the network which indices of its arrays go together (`grouping`) and what the
axes of kernels are to them (`roles`); `classes` holds what was found, `layout` where the units are
in the params. `pruning` ranks them, to the `targets`.
"""

from synflow_jax.units.classes import Touched as Touched
from synflow_jax.units.classes import UnitClass as UnitClass
from synflow_jax.units.classes import Units as Units
from synflow_jax.units.finding import units as units
from synflow_jax.units.pruning import UnitHistory as UnitHistory
from synflow_jax.units.pruning import prune_units as prune_units
