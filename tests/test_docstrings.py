"""What users read with `help`: arguments, results, errors and an example of each function."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
from typing import Any

import pytest

import synflow_jax as sf

TYPES = "ApplyFn Flow History LossFn Mask Params Prunable Schedule ScoreFn Scores Selection TrainFn"
FUNCTIONS = {
    f"{space.__name__}.{name}": value
    for space in (sf, sf.models, sf.homogeneous)
    for name, value in vars(space).items()
    if inspect.isfunction(value)
    and value.__module__.startswith("synflow_jax.")
    and (space is not sf.homogeneous or name.startswith("register"))
    and name[0] != "_"
}
# These check nothing.
NEVER_RAISE = {"synflow_jax.is_kernel", "synflow_jax.models.names"}
MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(sf.__path__, "synflow_jax.")
]
RECORDS = {
    f"{value.__module__}.{name}": value
    for module in MODULES
    for name, value in vars(module).items()
    if inspect.isclass(value)
    and value.__module__.startswith("synflow_jax.")
    and (hasattr(value, "_fields") or dataclasses.is_dataclass(value))
}


def described(name: str, doc: str) -> bool:
    return re.search(rf"^\s+\**{name}: ", doc, re.MULTILINE) is not None


def test_types_are_exported() -> None:
    assert not [name for name in TYPES.split() if not hasattr(sf, name)]
    assert len(FUNCTIONS) >= 25
    assert len(RECORDS) >= 20


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_functions(name: str) -> None:
    function, doc = FUNCTIONS[name], inspect.getdoc(FUNCTIONS[name]) or ""
    signature = inspect.signature(function)
    assert not [each for each in signature.parameters if not described(each, doc)]
    assert "Returns:\n" in doc or signature.return_annotation is None
    assert "Raises:\n" in doc or name in NEVER_RAISE
    assert ">>> " in doc


@pytest.mark.parametrize("name", RECORDS)
def test_fields(name: str) -> None:
    record: Any = RECORDS[name]
    fields = getattr(record, "_fields", None) or [each.name for each in dataclasses.fields(record)]
    assert not [field for field in fields if not described(field, str(record.__doc__))]
