"""Where an equation of a jaxpr stands in the user's source."""

import os
import sys
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple, Protocol

from jax.extend.core import JaxprEqn


class Located(Protocol):
    """An equation, and the call that it stands in, if any."""

    @property
    def equation(self) -> JaxprEqn: ...

    @property
    def outer(self) -> Any: ...


class Frame(NamedTuple):
    """A call in progress when an equation was made.

    Attributes:
        code: of the function called.
        line: where it was in its file, an int from 1 on.
    """

    code: CodeType
    line: int


def frames(located: Located) -> list[Frame]:
    """The calls that made the equation, the innermost first.

    A jitted function is traced once, at its first call, and may be called from elsewhere now.
    So inside one only the frames up to its own are given, and none if its own isn't there.
    """
    traceback, caller, found = located.equation.source_info.traceback, _jitted(located), []
    if not traceback:
        return []
    for code, frame in zip(traceback.raw_frames()[0], traceback.frames, strict=True):
        found.append(Frame(code, frame.line_num))
        if caller and caller.endswith(f" at {code.co_filename}:{code.co_firstlineno}"):
            return found
    return [] if caller else found


def _jitted(located: Located) -> str | None:
    """Name, file and line of the jitted function that the equation stands in."""
    if located.outer is None:
        return None
    params = located.outer.equation.params
    if "name" not in params or "jaxpr" not in params:
        return _jitted(located.outer)
    return params["jaxpr"].jaxpr.debug_info.func_src_info


def source_line(located: Located) -> str:
    """The user's file, line and function: the innermost outside of JAX, Flax and synflow_jax.

    If there is none, as in a ready-made model, the innermost outside of JAX.
    """
    return (
        _frame_outside(located, "jax", "flax", "synflow_jax")
        or _frame_outside(located, "jax")
        or "?"
    )


def _frame_outside(located: Located, *libraries: str) -> str | None:
    loaded = [sys.modules.get(name) for name in libraries]
    files = [module.__file__ for module in loaded if module]
    folders = tuple(f"{Path(file).parent}{os.sep}" for file in files if file)
    for code, line in frames(located):
        if not code.co_filename.startswith(folders):
            return f"{code.co_filename}:{line} ({code.co_name})"
    return located.outer and _frame_outside(located.outer, *libraries)
