"""How a function's arrays hang together: which indices go together, and what is left without some.

A function is read as a list of numbered values and steps on them (`program`). Each index of each
axis of each value is a node; an equation ties nodes together, folds axes into one, adds axes up or
holds them (`constraints`; the rules are in `elementwise`, `moves`, `reductions`, `products`,
`windows`, `indexing`, `averages` and `calls`). What is known of values whatever the inputs
(`facts`) tells which terms of a sum are 0 and stay 0. From what is used the nodes that it needs are
added until nothing is missing (`solve`); all others can go, and the function runs without them
(`smaller`).
"""

from synflow_jax.wiring.analysis import constraints_of as constraints_of
from synflow_jax.wiring.analysis import held as held
from synflow_jax.wiring.analysis import learned as learned
from synflow_jax.wiring.averages import in_derivative as in_derivative
from synflow_jax.wiring.averages import over_fewer as over_fewer
from synflow_jax.wiring.averages import with_averages as with_averages
from synflow_jax.wiring.calls import is_float as is_float
from synflow_jax.wiring.constraints import GONE as GONE
from synflow_jax.wiring.constraints import USED as USED
from synflow_jax.wiring.constraints import Axes as Axes
from synflow_jax.wiring.constraints import Constraint as Constraint
from synflow_jax.wiring.constraints import Fold as Fold
from synflow_jax.wiring.constraints import Hold as Hold
from synflow_jax.wiring.constraints import Indices as Indices
from synflow_jax.wiring.constraints import Sum as Sum
from synflow_jax.wiring.constraints import Tie as Tie
from synflow_jax.wiring.constraints import axes_of as axes_of
from synflow_jax.wiring.elementwise import ELEMENTWISE as ELEMENTWISE
from synflow_jax.wiring.facts import Fact as Fact
from synflow_jax.wiring.facts import constant_fact as constant_fact
from synflow_jax.wiring.facts import unknown as unknown
from synflow_jax.wiring.multiplications import PRODUCTS as PRODUCTS
from synflow_jax.wiring.multiplications import batch_size as batch_size
from synflow_jax.wiring.multiplications import constant_units as constant_units
from synflow_jax.wiring.multiplications import layer_products as layer_products
from synflow_jax.wiring.multiplications import multiplications as multiplications
from synflow_jax.wiring.multiplications import sources as sources
from synflow_jax.wiring.program import Program as Program
from synflow_jax.wiring.program import Step as Step
from synflow_jax.wiring.program import all_steps as all_steps
from synflow_jax.wiring.program import traced as traced
from synflow_jax.wiring.reductions import ended_axes as ended_axes
from synflow_jax.wiring.rule import Context as Context
from synflow_jax.wiring.rule import KeptOf as KeptOf
from synflow_jax.wiring.rule import Known as Known
from synflow_jax.wiring.rule import rebound as rebound
from synflow_jax.wiring.smaller import Again as Again
from synflow_jax.wiring.smaller import run as run
from synflow_jax.wiring.solve import ConflictError as ConflictError
from synflow_jax.wiring.solve import Kept as Kept
from synflow_jax.wiring.solve import gone_with as gone_with
from synflow_jax.wiring.solve import smallest as smallest
from synflow_jax.wiring.solve import tied_classes as tied_classes
from synflow_jax.wiring.windows import windowed as windowed
