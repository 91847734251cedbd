"""``apply_fn`` and ``params`` of a Flax model in inference mode. Importing this imports no Flax."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from synflow_jax.checks import shown
from synflow_jax.copies import own_copy
from synflow_jax.types import ApplyFn, Params

if TYPE_CHECKING:
    from flax import linen, nnx


def from_nnx(model: "nnx.Module", **call_options: Any) -> tuple[ApplyFn, Params]:
    """``apply_fn(params, inputs)`` and ``params`` of a Flax NNX model.

    BatchNorm uses its running statistics and dropout is off. The model itself isn't changed, and
    later changes of the model don't change what was returned: params and all other state are
    copies.

    Args:
        model: a Flax NNX module.
        **call_options: keyword arguments for the model's ``__call__`` that put it in inference
            mode, such as ``train=False``.

    Returns:
        ``apply_fn(params, inputs) -> outputs``, and the params: an ``nnx.State`` of copies of the
        model's ``nnx.Param``, in their shapes and dtypes.

    Raises:
        TypeError: ``model`` isn't an NNX module.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> from flax import nnx
    >>> apply_fn, params = sf.from_nnx(nnx.Linear(3, 2, rngs=nnx.Rngs(0)))
    >>> apply_fn(params, jnp.ones((1, 3))).shape
    (1, 2)
    """
    from flax import nnx

    if not isinstance(model, nnx.Module):
        raise TypeError(f"from_nnx takes a flax.nnx.Module, got {type(model).__name__}")
    inference = nnx.view(
        model, deterministic=True, use_running_average=True, raise_if_not_found=False
    )
    graph, *shared = nnx.split(inference, nnx.Param, ...)
    params, state = own_copy(shared)

    def apply_fn(params: Params, inputs: Any) -> Any:
        return nnx.merge(graph, params, state, copy=True)(inputs, **call_options)

    return apply_fn, params


def from_linen(
    module: "linen.Module", variables: Any, **call_options: Any
) -> tuple[ApplyFn, Params]:
    """``apply_fn(params, inputs)`` and ``params`` of a Flax Linen module.

    Args:
        module: a Flax Linen module.
        variables: what ``module.init`` returned. Collections other than ``params``, such as running
            statistics, are copied and stay as they are now: what the module writes to them is
            dropped, and writing to ``batch_stats``, which inference mode doesn't, is an error.
        **call_options: keyword arguments for the module's ``__call__`` that put it in inference
            mode, such as ``train=False``, or for ``apply``, such as ``method`` and ``rngs``.

    Returns:
        ``apply_fn(params, inputs) -> outputs``, and the params: ``variables["params"]`` itself.

    Raises:
        ValueError: ``variables`` has no ``params``, or ``mutable`` is passed.
        TypeError: ``module`` isn't a Linen module, or ``variables`` isn't a dict.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> from flax import linen
    >>> module, x = linen.Dense(2), jnp.ones((1, 3))
    >>> apply_fn, params = sf.from_linen(module, module.init(jax.random.key(0), x))
    >>> apply_fn(params, x).shape
    (1, 2)
    """
    from flax import linen

    if not isinstance(module, linen.Module):
        raise TypeError(f"from_linen takes a flax.linen.Module, got {type(module).__name__}")
    if not isinstance(variables, Mapping):
        raise TypeError(
            "variables must be a dict with a 'params' collection, got "
            f"variables={shown(variables)}; pass all that module.init returned"
        )
    if "mutable" in call_options:
        raise ValueError(
            f"mutable can't be passed, got mutable={call_options['mutable']!r}: apply_fn returns "
            "the outputs alone; call module.apply yourself for what the module writes"
        )
    if "params" not in variables:
        raise ValueError(
            f"variables must hold a 'params' collection, got {sorted(variables)}; "
            "pass all that module.init returned"
        )
    others = {name: value for name, value in variables.items() if name != "params"}
    state = own_copy(others)
    written = [name for name in state if name != "batch_stats"]

    def apply_fn(params: Params, inputs: Any) -> Any:
        outputs, _ = module.apply(
            {"params": params, **state}, inputs, mutable=written, **call_options
        )
        return outputs

    return apply_fn, variables["params"]
