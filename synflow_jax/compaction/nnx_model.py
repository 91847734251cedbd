"""A Flax NNX model made smaller. Importing this imports no Flax."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax import wiring
from synflow_jax.checks import check_mask, check_scalars, check_values
from synflow_jax.compaction.functions import runner
from synflow_jax.compaction.network import Compact, check_averages, compacted
from synflow_jax.compaction.nnx_sizes import set_sizes, whole_axes
from synflow_jax.compaction.whole import Anew, Averages, Constants, Left
from synflow_jax.types import Mask

if TYPE_CHECKING:
    from flax import nnx


def compact_nnx(
    model: "nnx.Module",
    mask: Mask,
    inputs: Any,
    *,
    constants: Constants = "keep",
    averages: Averages = "whole",
    **call_options: Any,
) -> tuple[Any, Mask]:
    """A smaller model of the same classes that equals the masked one, as `compact` does.

    Its arrays, running statistics too, and its layers' attributes (``features``, ``kernel_shape``,
    ``num_groups``) are those of the units that are left; it trains, splits, saves and prints like
    any other. What a unit does is looked at with running statistics and, where the model runs like
    that on ``inputs``, with those of the batch. Since the model's code runs on smaller arrays and
    may use their sizes as numbers, units stay whose axis is averaged over (LayerNorm, GroupNorm),
    and so do the head dimensions of attention; `compact` removes more there. Dropout draws its
    numbers for what is left, so other ones than in the masked model. Before it's returned the small
    model is checked against the masked one.

    Args:
        model: a Flax NNX module; it isn't changed, nor does it share arrays with the result.
        mask: a pytree like the model's ``nnx.Param``, as `prune` of `from_nnx` returns it.
        inputs: an example of the model's inputs, or its shapes as ``jax.ShapeDtypeStruct``.
        constants: what becomes of units that nothing leads into; see `compact`.
        averages: ``"left"``: units go over which averages are taken, and head dimensions; see
            `compact`. What the code takes from sizes, such as the scale of attention, becomes that
            of the sizes that are left, and the small model isn't compared with the masked one.
        **call_options: keyword arguments for the model's ``__call__``.

    Returns:
        The small model, in the mode of ``model``, and the small mask.

    Raises:
        ValueError: mask and model don't match, the model fails on the inputs, no path is left, or
            the model's code doesn't run on smaller arrays as on whole ones (it may hold sizes in
            attributes of its own): use `compact`, which doesn't run it anew.
        TypeError: not an NNX module, or it's called under ``jit``.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> from flax import nnx
    >>> rngs = nnx.Rngs(0)
    >>> model = nnx.Sequential(nnx.Linear(3, 8, rngs=rngs), nnx.relu, nnx.Linear(8, 2, rngs=rngs))
    >>> apply_fn, params = sf.from_nnx(model)
    >>> mask, _ = sf.prune(sf.synflow(apply_fn, jnp.ones((1, 3))), params, 5)
    >>> small_model, small_mask = sf.compact_nnx(model, mask, jnp.ones((1, 3)))
    >>> small_model.layers[0].out_features < 8
    True
    """
    from flax import nnx

    if not isinstance(model, nnx.Module):
        raise TypeError(f"compact_nnx takes a flax.nnx.Module, got {type(model).__name__}")
    graph, params, others = nnx.split(model, nnx.Param, ...)
    check_values({"model": params, "mask": mask}, "units are found on the host: call this outside")
    check_mask(mask, params)
    check_scalars(mask)
    check_averages(averages)
    state = (params, others)
    masks = (mask, jax.tree.map(lambda _: np.True_, others))
    anew = Anew(whole_axes(model, _paths(state)))

    def attempt(both: bool) -> tuple[Compact, wiring.Program]:
        apply_fn = _outputs(model, both, call_options)
        return compacted(
            apply_fn, state, masks, inputs, constants=constants, averages=averages, anew=anew
        )

    both = True
    try:
        small, program = attempt(both)
    except ValueError:  # the model doesn't run with the batch's statistics, or not at all
        both = False
        small, program = attempt(both)
    small_model = nnx.merge(graph, *small.params, copy=True)
    set_sizes(small_model, _kernels_left(state, small))
    _check_equal(small, program, _outputs(small_model, both, call_options), inputs)
    return small_model, small.mask[0]


def _outputs(model: Any, both: bool, options: dict[str, Any]) -> Callable[..., Any]:
    """``fn(state, inputs)``: the outputs in inference mode, and in training mode if asked for."""
    modes = [
        _in_mode(model, training, options) for training in ([False, True] if both else [False])
    ]
    return lambda state, inputs: [fn(state, inputs) for fn in modes]


def _in_mode(model: Any, training: bool, options: dict[str, Any]) -> Callable[..., Any]:
    from flax import nnx

    # Dropout draws other numbers for smaller arrays, which says nothing about the units.
    modes = {"deterministic": True, "use_running_average": not training}
    view = nnx.view(model, **modes, raise_if_not_found=False)
    graph, *_ = nnx.split(view, nnx.Param, ...)

    def fn(state: Any, inputs: Any) -> Any:
        return nnx.merge(graph, *state, copy=True)(inputs, **options)

    return fn


def _kernels_left(state: Any, small: Compact) -> dict[tuple[Any, ...], Left]:
    """What is left of each kernel, by the path of its layer."""
    pairs = zip(_paths(state), small.left, strict=True)
    return {path[:-1]: left for path, left in pairs if path[-1] == "kernel"}


def _paths(state: Any) -> list[tuple[Any, ...]]:
    """The path of each variable in the model."""
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    return [tuple(key.key for key in path if hasattr(key, "key")) for path in paths]


def _check_equal(
    small: Compact, program: wiring.Program, native: Callable[..., Any], inputs: Any
) -> None:
    """The model computes what the small function does: by its steps, or else by numbers."""
    run = runner(small._whole, program)
    ours = wiring.traced(run, *jax.tree.leaves((small.params, inputs)))
    try:
        theirs = wiring.traced(native, small.params, inputs)
        if small._whole.averages == "left" or _outline(ours) == _outline(theirs):
            return
        if _same_numbers(small, native, inputs):
            return
        why = "its results differ"
    except (TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"
    raise ValueError(
        "the model's code doesn't do on smaller arrays what it does on whole ones, as where it "
        f"holds sizes of its own: {why}. Derive sizes from the arrays, or use sf.compact, which "
        "doesn't run the code anew"
    )


def _same_numbers(small: Compact, native: Callable[..., Any], inputs: Any) -> bool:
    x = jax.tree.map(_drawn, inputs)
    results = [jax.tree.leaves(jax.jit(fn)(small.params, x)) for fn in (small.apply_fn, native)]
    return all(_close(*pair) for pair in zip(*results, strict=True))


def _close(a: jax.Array, b: jax.Array) -> bool:
    if a.shape != b.shape:
        return False
    largest = jnp.abs(a).max(initial=jnp.finfo(a.dtype).tiny)
    # Sums in another order, through many layers.
    return bool((jnp.abs(a - b) <= jnp.sqrt(jnp.finfo(a.dtype).eps) * largest).all())


def _drawn(leaf: Any) -> jax.Array:
    if jnp.issubdtype(leaf.dtype, jnp.floating):
        return jax.random.normal(jax.random.key(0), leaf.shape, leaf.dtype)
    return jnp.zeros(leaf.shape, leaf.dtype)


def _outline(program: wiring.Program) -> list[Any]:
    """Operations, shapes and the numbers written in a program, in their order."""
    scalars = {v: c for v, c in program.constants.items() if np.size(c) == 1}
    found = []
    for step in wiring.all_steps(program.steps):
        if step.name == "convert_element_type" and step.operands[0] in scalars:
            # One program has a number of another type where the other converts it.
            scalars[step.results[0]] = scalars[step.operands[0]]
            continue
        numbers = [float(scalars[value]) for value in step.operands if value in scalars]
        shapes = [program.shape(value) for value in (*step.operands, *step.results)]
        found.append((step.name, shapes, numbers))
    return found
