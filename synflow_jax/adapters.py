"""``apply_fn`` and ``params`` of a Flax model in inference mode. Importing this imports no Flax."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from synflow_jax.types import ApplyFn, Params

if TYPE_CHECKING:
    from flax import linen, nnx


def from_nnx(model: "nnx.Module") -> tuple[ApplyFn, Params]:
    """``apply_fn(params, inputs)`` and ``params`` of a Flax NNX model.

    BatchNorm uses its running statistics and dropout is off, in a view of the model; the model
    itself isn't changed, nor is what's returned when the model is: params and all other state are
    copies of what they are now.

    Args:
        model: a Flax NNX module.

    Returns:
        The function, and an ``nnx.State`` of the model's ``nnx.Param``.

    Raises:
        TypeError: not an NNX module.

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
    params, state = jax.tree.map(jnp.copy, shared)

    def apply_fn(params: Params, inputs: Any) -> Any:
        return nnx.merge(graph, params, state, copy=True)(inputs)

    return apply_fn, params


def from_linen(
    module: "linen.Module", variables: Any, **call_options: Any
) -> tuple[ApplyFn, Params]:
    """``apply_fn(params, inputs)`` and ``params`` of a Flax Linen module.

    Args:
        module: a Flax Linen module.
        variables: what ``module.init`` returned; collections other than ``params`` (running
            statistics) are fixed as they are now.
        **call_options: keyword arguments for the module's ``__call__`` that put it in inference
            mode, such as ``train=False``.

    Returns:
        The function, and ``variables["params"]``.

    Raises:
        TypeError: not a Linen module.
        ValueError: ``variables`` has no ``params``.

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
    if "params" not in variables:
        raise ValueError(
            f"variables must hold a 'params' collection, got {sorted(variables)}; "
            "pass all that module.init returned"
        )
    state = {name: value for name, value in variables.items() if name != "params"}

    def apply_fn(params: Params, inputs: Any) -> Any:
        return module.apply({"params": params, **state}, inputs, **call_options)

    return apply_fn, variables["params"]
