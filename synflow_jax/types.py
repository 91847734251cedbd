"""The types that the library's parts hand to each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from inspect import isfunction
from typing import Any, NamedTuple

import jax
import numpy as np

Params = Any
"""A pytree of floating-point arrays."""

Mask = Any
"""A pytree like its params. Each leaf is boolean and broadcasts against its parameter: as many
dimensions where the parameter is prunable, scalar ``True`` where it isn't. ``True`` keeps."""

Scores = Any
"""A pytree like its params, a floating-point number for each weight. The highest are kept."""

ApplyFn = Callable[[Params, Any], Any]
"""``apply_fn(params, inputs) -> outputs``, the network in inference mode."""

LossFn = Callable[[Params, Any], jax.Array]
"""``loss_fn(params, batch) -> scalar``, the mean loss over the batch."""

Schedule = Callable[[float, int], np.ndarray]
"""``schedule(compression, rounds) -> densities``, float64 of shape ``(rounds,)``."""

Prunable = Callable[[str, Any], bool]
"""``prunable(path, leaf) -> bool``; ``path`` is a name such as ``"conv1/kernel"``."""

Progress = Callable[[int, int, int], object]
"""``progress(done, rounds, kept)``, called after each round with how many rounds are done, how many
there are, and how many weights are left."""

ScoreFn = Callable[[Params, Mask, Any, jax.Array | None], Scores]
"""``score_fn(params, mask, batch, key) -> scores`` of the weights kept by ``mask``; pure."""


@dataclass(frozen=True, eq=False)
class PathScores:
    """A score function whose scores are 0 only where no path of kept weights passes.

    Of such scores a 0 elsewhere means that they were too small for their floating-point type.

    Attributes:
        score_fn: the `ScoreFn` that is called.
    """

    score_fn: ScoreFn

    def __call__(self, params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        """The scores, as `ScoreFn` says."""
        return self.score_fn(params, mask, batch, key)


@dataclass(frozen=True, eq=False)
class ReturningScores:
    """A score function that can score pruned weights too, as what they would do if they returned.

    Attributes:
        of_kept: the `ScoreFn` that is called, 0 where pruned.
        of_all: the same of all weights, at the masked network.
    """

    of_kept: ScoreFn
    of_all: ScoreFn

    def __call__(self, params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        """The scores, as `ScoreFn` says."""
        return self.of_kept(params, mask, batch, key)


@dataclass(frozen=True, eq=False)
class GradientScores:
    """A score function whose batch is the gradients, which `prune_gradually` has anyway.

    Attributes:
        score_fn: ``score_fn(params, mask, gradients, key) -> scores``, with gradients like params.

    >>> import jax
    >>> import synflow_jax as sf
    >>> def movement(params, mask, gradients, key):  # Sanh et al. 2020, arXiv:2005.07683
    ...     return jax.tree.map(lambda w, g: -w * g, params, gradients)
    >>> score_fn = sf.GradientScores(movement)
    """

    score_fn: ScoreFn

    def __call__(self, params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        """The scores, as `ScoreFn` says; ``batch`` is the gradients."""
        return self.score_fn(params, mask, batch, key)


@dataclass(frozen=True)
class Selection:
    """A rule that says which scores a round keeps, as two functions.

    A group is a set of layers whose scores are ranked together. ``help`` of an instance shows the
    docstring of its ``keep``, if it has one. Two selections made of the same functions and options
    are equal and have one hash, so that compiled code is reused for them.

    Attributes:
        counts: ``counts(sizes, densities)``, called on the host with the number of weights in each
            layer and the density after each round, float64 of shape ``(rounds,)``: how many
            weights each round keeps in each group, integers of shape ``(rounds, groups)``.
        keep: ``keep(scores, row)``, called on the device with one floating-point array a layer and
            one row of ``counts``, int32 of shape ``(groups,)`` (a `TwoWordCount` if a count is
            2**31 or more): a boolean array a layer, ``True`` where the score stays. A score of
            -inf is never kept.
        shapes: whether ``counts`` takes the layers' shapes in place of their numbers of weights.
        slack: a round may keep up to so many weights fewer than counted, as where only whole blocks
            are kept.

    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> import synflow_jax as sf
    >>> sf.global_top_k.counts([60, 40], np.array([0.5, 0.1]))
    array([[50],
           [10]])
    >>> positive = sf.Selection(sf.global_top_k.counts, lambda scores, row: [x > 0 for x in scores])
    >>> positive.keep([jnp.array([0.5, -0.5])], jnp.array([1]))
    [Array([ True, False], dtype=bool)]
    """

    counts: Callable[[Sequence[Any], np.ndarray], np.ndarray]
    keep: Callable[[Sequence[jax.Array], jax.Array], list[jax.Array]]
    shapes: bool = field(default=False, kw_only=True)
    slack: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        if isfunction(self.keep) and self.keep.__doc__:
            # The only way to set something of a frozen instance.
            object.__setattr__(self, "__doc__", self.keep.__doc__)


class History(NamedTuple):
    """What happened in each round; the leading axis of every array is the round.

    Attributes:
        kept: prunable weights left after the round, int32 of shape ``(rounds,)``; from `prune` and
            `sweep` int64 if a round keeps 2**31 or more in a group.
        kept_by_layer: weights left after the round in each prunable leaf, in the order of
            ``jax.tree.leaves``, int32 of shape ``(rounds, layers)``.
        finite: whether all scores of a layer's remaining weights were finite, boolean of shape
            ``(rounds, layers)``. `prune` raises where they weren't; its pure core records it.
        positive: whether a score of a layer's remaining weights was above 0, boolean of shape
            ``(rounds, layers)``.
    """

    kept: jax.Array
    kept_by_layer: jax.Array
    finite: jax.Array
    positive: jax.Array
