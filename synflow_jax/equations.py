"""Equations of a jaxpr, with the values that meet in them and where they stand in the source."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.core import Tracer
from jax.extend.core import JaxprEqn, Literal

from synflow_jax.scaled import Scaled


class NonHomogeneousError(ValueError):
    """The network does something that isn't positively homogeneous in its input."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Coefficient:
    """A value that doesn't depend on the network's input.

    Attributes:
        value: an array of any type.
        nonnegative: whether that's known of it when tracing.
        negative: whether it's known to be negative somewhere.
        trained: whether it depends on the params.
        linear: whether it's a sum of products of params and constants, so that its scores can't
            be negative.
    """

    value: Any
    nonnegative: bool = field(default=False, metadata={"static": True})
    negative: bool = field(default=False, metadata={"static": True})
    trained: bool = field(default=False, metadata={"static": True})
    linear: bool = field(default=True, metadata={"static": True})


Value = Scaled | Coefficient


class Site(NamedTuple):
    """Where a rule is applied.

    Attributes:
        equation: the operation, its ``params`` and where it stands in the user's source.
        biases: whether what is added to the flow takes part.
        outer: the site of the call that the equation stands in.
    """

    equation: JaxprEqn
    biases: bool
    outer: "Site | None"

    def bind(self, *args: Any) -> Any:
        """The operation itself, on arrays."""
        return bind(self.equation, *args)

    def refuse(self, why: str) -> NonHomogeneousError:
        """The error that says where and why, and what to do."""
        return NonHomogeneousError(
            f"'{self.equation.primitive.name}' at {self.place()}: {why}. "
            "SynFlow needs a network that is linear once weights and activations are nonnegative; "
            "pass the apply_fn of such a network, or say what the operation does there with "
            "sf.homogeneous.register (or sf.homogeneous.register_activation for a function that "
            "stands for the positive part)"
        )

    def caller(self) -> str | None:
        """The name of the jitted function that the equation stands in."""
        if self.outer is None:
            return None
        return self.outer.equation.params.get("name", self.outer.caller())

    def frames(self) -> list[tuple[str, str, int]]:
        """File, function and line of the calls that made the equation, the innermost first.

        A jitted function is traced once, so inside one only the frames up to its own count: what
        it was first called from isn't what calls it now. Empty if it isn't among them.
        """
        traceback, caller, found = self.equation.source_info.traceback, self.caller(), []
        for frame in traceback.frames if traceback else ():
            name = frame.function_name.rpartition(".")[2]
            found.append((frame.file_name, name, frame.line_num))
            if name == caller:
                return found
        return [] if caller else found

    def place(self) -> str:
        """The user's file, line and function: the innermost that belongs to no library here.

        If there is none, as in a ready-made model, the innermost outside of JAX.
        """
        return (
            self._frame_outside("jax", "flax", "synflow_jax") or self._frame_outside("jax") or "?"
        )

    def _frame_outside(self, *libraries: str) -> str | None:
        loaded = [sys.modules.get(name) for name in libraries]
        files = [module.__file__ for module in loaded if module]
        folders = tuple(f"{Path(file).parent}{os.sep}" for file in files if file)
        for file, name, line in self.frames():
            if not file.startswith(folders):
                return f"{file}:{line} ({name})"
        return self.outer and self.outer._frame_outside(*libraries)


def bind(equation: JaxprEqn, *args: Any) -> Any:
    """An equation's operation applied to arrays."""
    params = equation.primitive.get_bind_params(equation.params)
    with equation.ctx.manager:
        return equation.primitive.bind(*args, **params)


def constant(equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """An operation on coefficients alone: done as it is."""
    coefficients = [value for value in values if isinstance(value, Coefficient)]
    arrays = [value.value for value in coefficients]
    shapes = [getattr(var.aval, "shape", None) for var in equation.outvars]
    plain = equation.primitive.name in _KEEP_NONNEGATIVE | {"neg", "sub"}
    if plain and shapes == [()] and not any(isinstance(array, Tracer) for array in arrays):
        # Known when tracing, so that a rule can look at it.
        with jax.ensure_compile_time_eval():
            results = bind(equation, *arrays)
    else:
        results = bind(equation, *arrays)
    results = results if equation.primitive.multiple_results else [results]
    return [_described(equation.primitive.name, coefficients, result) for result in results]


def _described(name: str, operands: list[Coefficient], result: Any) -> Coefficient:
    nonnegative = name in _KEEP_NONNEGATIVE and all(value.nonnegative for value in operands)
    trained = any(value.trained for value in operands)
    linear = name in _KEEP_NONNEGATIVE and all(value.linear for value in operands)
    if name == "div":
        linear &= not operands[1].trained
    return Coefficient(
        result,
        nonnegative=nonnegative or name in _NONNEGATIVE,
        negative=name in _KEEP_SIGN and any(value.negative for value in operands),
        trained=trained,
        linear=linear or not trained,
    )


def literal(value: Literal) -> Coefficient:
    """A number written in the program."""
    array = np.asarray(value.val, getattr(value.aval, "dtype", None))
    return Coefficient(
        array, nonnegative=bool(np.all(array >= 0)), negative=bool(np.any(array < 0))
    )


_NONNEGATIVE = frozenset("abs exp exp2 iota logistic rsqrt sqrt square".split())
_KEEP_NONNEGATIVE = frozenset(
    (
        "abs add add_any broadcast_in_dim concatenate conv_general_dilated convert_element_type "
        "copy copy_p cumsum div dot_general dynamic_slice dynamic_update_slice expand_dims gather "
        "max min mul name optimization_barrier pad reduce_max reduce_min reduce_sum "
        "reduce_window_max reduce_window_sum reshape rev select_n sharding_constraint slice split "
        "squeeze stack stop_gradient tile transpose"
    ).split()
)
_KEEP_SIGN = frozenset("broadcast_in_dim convert_element_type copy expand_dims reshape".split())
