"""Random walks over the units of a network, from its inputs to its outputs and back.

`reading` follows units through the function's program, each array as the numbers of the units that
its elements belong to, and notes which weights lead from which to which: a `graph`. `walking` walks
on it, and `phew` makes a mask of where it went.
"""

from synflow_jax.walks.phew import phew as phew
