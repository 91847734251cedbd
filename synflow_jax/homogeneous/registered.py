"""What users said of operations and functions, in order: what's compiled depends on it."""

from typing import Any

_REGISTERED: list[Any] = []


def note(registered: Any) -> None:
    """Something was registered."""
    _REGISTERED.append(registered)


def registrations() -> int:
    """How many times something was registered."""
    return len(_REGISTERED)
