"""The linear network behind a network: its flow, finite at any depth.

With nonnegative weights and inputs every positively homogeneous activation is the identity, and
the network is linear in each of its layers. Here a function's jaxpr is interpreted as that linear
network, equation by equation:

- what depends on the network's input is part of the *flow*, held as ``mantissa * 2 ** exponent``
  with one exponent for an array (`scaled`), so that no depth leaves a float's range. For example
  ``x @ w`` with all 16 weights 100 and ``x = [1, 1, 1, 1]`` is 400 everywhere, held as
  ``1.5625 * 2 ** 8``; a second such layer gives ``1.22 * 2 ** 17``. Multiplying by a power of two
  doesn't round, so the mantissas are those of plain arithmetic.
- what doesn't is a *coefficient* and enters in absolute value (`values`). Of each it's known
  whether it depends on the params, what signs its elements can have (`signs`), and, where nothing
  is traced, its numbers.
- a rule for each operation says what it does with them (`rules`, by kind in `moves`, `products`
  and `joins`; scans in `loops`); a step of an activation does nothing (`activations`).
- on inputs that repeat, such as ones, equal slices are held and computed once (`repeats`,
  `windows`, `convolution`).
- where activation patterns matter, ReLUs let the flow through where they are open in the real
  network on real inputs (`patterns`).
- with attention, normalization and gates the program is read first (`kinds`), and what weighs the
  flow is computed with its own weights alone (`branches`).
- where only it counts whether a path leads somewhere, all values are 0 or 1 (`paths`).

What a linear network can't have is refused with its line in the user's source (`equations`).

Public are `register` and `register_activation`, which teach it more, and what a rule is given and
returns: `Site`, `Scaled`, `Coefficient`.
"""

from synflow_jax.homogeneous.activations import register_activation as register_activation
from synflow_jax.homogeneous.branches import branching_outputs as branching_outputs
from synflow_jax.homogeneous.equations import Mode as Mode
from synflow_jax.homogeneous.equations import NonHomogeneousError as NonHomogeneousError
from synflow_jax.homogeneous.equations import Site as Site
from synflow_jax.homogeneous.interpreter import linear_outputs as linear_outputs
from synflow_jax.homogeneous.registered import registrations as registrations
from synflow_jax.homogeneous.rules import register as register
from synflow_jax.homogeneous.scaled import Scaled as Scaled
from synflow_jax.homogeneous.scaled import normalized as normalized
from synflow_jax.homogeneous.scaled import sum_of_all as sum_of_all
from synflow_jax.homogeneous.values import Coefficient as Coefficient
from synflow_jax.homogeneous.values import widened as widened
