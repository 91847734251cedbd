"""The smaller dense network that equals a masked one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from synflow_jax import wiring
from synflow_jax.checks import (
    called,
    check_callable,
    check_mask,
    check_scalars,
    check_values,
    named_leaves,
)
from synflow_jax.compaction.functions import smaller
from synflow_jax.compaction.leaves import expanded, shrunk
from synflow_jax.compaction.report import Report, report_of
from synflow_jax.compaction.whole import Anew, Averages, Constants, Left, Whole, decide, fact_of
from synflow_jax.copies import own_copy
from synflow_jax.masks import apply_mask
from synflow_jax.types import ApplyFn, Mask, Params


@dataclass(frozen=True, eq=False, repr=False)
class Compact:
    """What `compact` returns; ``print`` shows layer by layer what is left, and what held it back.

    Attributes:
        params: what is left of the params, exact zeros where pruned; the same tree.
        mask: what is left of the mask.
        apply_fn: ``apply_fn(small.params, inputs)``, the outputs of the masked network.
        report: what ``print`` shows, as numbers.
        _whole: the network before.
    """

    params: Params
    mask: Mask
    apply_fn: ApplyFn
    report: Report
    _whole: Whole = field(repr=False)

    def of(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Another function of the same params, as a function of those that are left.

        Args:
            fn: ``fn(params, *args, **options)`` of whole params, such as a loss, or the network in
                training mode; all other arguments are pytrees of arrays. It's traced once for each
                shape of its arguments, and must be pure.

        Returns:
            The function of `params`. Results that have one index for each unit, such as updated
            BatchNorm statistics, come out small.

        Raises:
            ValueError: when called, if the function uses units that were removed in a way that
                isn't known to leave its results as they are; the operation and its line are named.
        """
        if not callable(fn):
            raise TypeError(f"fn must be a function of the params and other arguments, got {fn!r}")
        return smaller(self._whole, fn)

    def shrink(self, tree: Any) -> Any:
        """What is left of a tree.

        Args:
            tree: a tree like the whole params, such as their mask or momenta, or one that contains
                such trees, as an optimizer's state does; other leaves stay as they are.

        Raises:
            ValueError: nothing in it is like the params, or a leaf's shape is another.
        """
        return shrunk(tree, self._whole)

    def expand(self, tree: Any) -> Any:
        """A tree at full shape, with zeros (``False``) in place of what was removed.

        Args:
            tree: a tree like `params`, such as trained ones, or one that contains such trees.

        Raises:
            ValueError: nothing in it is like the params that are left, or a leaf has another shape.
        """
        return expanded(tree, self._whole)

    @property
    def left(self) -> list[Left]:
        """For each leaf of the whole params, which indices of each of its axes are left, bool."""
        return self._whole.lefts

    def __str__(self) -> str:
        return str(self.report)

    def __repr__(self) -> str:
        return f"Compact(\n{self.report}\n)"

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return self.report._repr_html_()


def compact(
    apply_fn: ApplyFn,
    params: Params,
    mask: Mask,
    inputs: Any,
    *,
    constants: Constants = "keep",
    averages: Averages = "whole",
) -> Compact:
    """The smaller dense network whose outputs are those of the masked one.

    A mask often leaves units (channels, neurons, dimensions of heads) without a path. Such a unit
    is removed from all arrays that have an index for it: where nothing that is kept leads out of
    it, or where nothing leads in and it's 0 whatever the inputs; and again, until nothing more
    falls. The function's jaxpr tells which indices of which axes belong together: dense,
    convolutional (strided, dilated, grouped, transposed) and embedding layers, normalization,
    pooling, sums, concatenation, reshapes, slices, einsums, scans, attention. An operation that
    isn't understood keeps all indices of its operands.

    Nothing changes: the outputs are equal but for the order of sums, and so is training with
    `keep_params_sparse`, since what is removed has no gradient where the mask keeps it. A unit
    that holds a constant other than 0, or one that is 0 now but has a gradient (a bias before
    an activation with a slope at 0, or one that it shares with units that stay), therefore stays.
    Weight decay is taken to leave units at 0 that have no gradient; it does where it moves their
    constants towards 0 and the activation is 0 from 0 downward. At least one unit of each layer
    stays.

    Args:
        apply_fn: ``apply_fn(params, inputs)``, the network. What it closes over, such as running
            statistics, is made smaller with it.
        params: a pytree of arrays, not traced. Weights outside the mask count as 0.
        mask: a pytree like ``params`` of booleans that broadcast against its leaves.
        inputs: an example, or its shapes as ``jax.ShapeDtypeStruct``; the numbers don't matter,
            and later inputs may have another batch size.
        constants: ``"keep"``: as above. ``"at_zero"``: units at 0 that would be trained go too:
            the same outputs now, but not the same training. ``"drop"``: units that hold any
            constant go, and the function changes.
        averages: ``"whole"``: units stay over which normalization takes averages (LayerNorm,
            RMSNorm, GroupNorm), since without them those would be others. ``"left"``: averages are
            taken over the units that are left, and the function changes, as one expects after
            `prune_units`. Then `Compact.of` refuses functions that take gradients themselves.

    Returns:
        A `Compact`. Arrays of its params lie on the devices of those they were made from, split
        in the same way where the sizes divide, else on each device in full.

    Raises:
        ValueError: mask and params don't match, ``apply_fn`` fails on the inputs (as it does where
            its shapes depend on values), or the mask leaves no path from inputs to outputs.
        TypeError: called under ``jit``, or an argument is of another kind.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> def apply_fn(params, x):
    ...     return jax.nn.relu(x @ params["hidden"]) @ params["output"]
    >>> params = {"hidden": jnp.ones((4, 3)), "output": jnp.ones((3, 2))}
    >>> mask = sf.full_mask(params)
    >>> mask["output"] = mask["output"].at[1].set(False)  # nothing leads out of the second unit
    >>> small = sf.compact(apply_fn, params, mask, jnp.ones((1, 4)))
    >>> small.params["hidden"].shape, small.params["output"].shape
    ((4, 2), (2, 2))
    >>> small.apply_fn(small.params, jnp.ones((1, 4)))
    Array([[8., 8.]], dtype=float32)
    >>> small.expand(small.params)["output"][1]
    Array([0., 0.], dtype=float32)
    """
    check_callable("apply_fn", apply_fn, "params, inputs", "sf.from_nnx(model)[0]")
    check_values({"params": params, "mask": mask}, "units are found on the host: call this outside")
    check_mask(mask, params)
    check_scalars(mask)
    if constants not in ("keep", "at_zero", "drop"):
        raise ValueError(f"constants must be 'keep', 'at_zero' or 'drop', got {constants!r}")
    check_averages(averages)
    return compacted(apply_fn, params, mask, inputs, constants=constants, averages=averages)[0]


def check_averages(averages: Any) -> None:
    """One of the two."""
    if averages not in ("whole", "left"):
        raise ValueError(f"averages must be 'whole' or 'left', got {averages!r}")


def compacted(
    apply_fn: ApplyFn,
    params: Params,
    mask: Mask,
    inputs: Any,
    *,
    constants: Constants,
    averages: Averages,
    anew: Anew | None = None,
) -> tuple[Compact, wiring.Program]:
    """`compact` without its checks, and the program of the whole network.

    ``anew`` if the function will be traced anew.
    """
    leaves, treedef = jax.tree.flatten(params)
    masks = jax.tree.leaves(mask)
    avals = [jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves]
    names = [name for name, _ in named_leaves(params)]
    facts = [fact_of(*pair) for pair in zip(leaves, masks, strict=True)]
    before = Whole(treedef, avals, names, facts, constants, averages, [])
    program = called("apply_fn", _traced(apply_fn, before), avals, inputs)
    _check_paths(before, program)
    decision = decide(before, program, anew)
    whole = decision.whole
    masked = jax.tree.map(_masked, params, mask)
    small = Compact(
        params=shrunk(masked, whole),
        mask=shrunk(mask, whole),
        apply_fn=smaller(whole, apply_fn),
        report=report_of(whole, program, decision, masks, inputs),
        _whole=whole,
    )
    return small, program


def _masked(leaf: Any, mask: Any) -> jax.Array:
    """A copy with zeros where pruned."""
    return apply_mask(mask, leaf) if jnp.ndim(mask) else own_copy(leaf)


def _traced(apply_fn: ApplyFn, whole: Whole) -> Callable[[Any, Any], wiring.Program]:
    def traced(leaves: Any, inputs: Any) -> wiring.Program:
        return whole.traced(
            lambda leaves, inputs: apply_fn(jax.tree.unflatten(whole.treedef, leaves), inputs),
            leaves,
            inputs,
        )

    return traced


def _multiplies(step: wiring.Step) -> bool:
    return step.name in wiring.PRODUCTS or step.name == "mul"


def _check_paths(whole: Whole, program: wiring.Program) -> None:
    """Something of the inputs reaches the outputs."""
    # Without constants what is left depends on the inputs; but where two parts of the network are
    # multiplied, as in attention, a constant may carry it too.
    steps = [*wiring.all_steps(program.steps)]
    known = whole.known(program, constants="drop")
    if any(
        len(known.flowing.intersection(step.operands)) > 1 for step in steps if _multiplies(step)
    ):
        known = whole.known(program, constants="keep")
    reached = known.flowing.intersection(program.outputs)
    if any(known.facts[value].varies.any() for value in reached):
        return
    sources = wiring.sources(program, program.inputs[: len(whole.avals)])
    for step in steps:
        given = [value for value in step.operands if value in known.flowing]
        arrives = any(known.facts[value].varies.any() for value in given)
        layers = [sources[v] for v in step.operands if v in sources and v not in known.flowing]
        dead = not any(known.facts[value].varies.any() for value in step.results)
        if arrives and dead and layers:
            name = whole.names[program.inputs.index(layers[0])]
            raise ValueError(
                f"the mask leaves no path from the inputs to the outputs: nothing gets through "
                f"'{name}'; prune less, or look at sf.layer_table(mask, params)"
            )
    raise ValueError("the outputs don't depend on the inputs; pass the network's apply_fn")
