"""The floors of the house: imports go downward only, and the core needs no Flax."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "synflow_jax"
FLOORS = [
    {
        "types",
        "paths",
        "arguments",
        "checks",
        "schedules",
        "members",
        "keys",
        "counting",
        "wide",
        "selection",
        "homogeneous",
    },
    {"scores", "masks", "losses", "optimizer", "diagnostics", "adapters", "models"},
    {"rounds"},
    {"prune", "sweep", "tickets"},
    {"__init__"},
]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))
OUTSIDE = [path for name in ("experiments", "benchmarks") for path in (ROOT / name).rglob("*.py")]


def imported(path: Path) -> set[str]:
    """The parts of synflow_jax that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("synflow_jax", "experiments")}


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    own = part(path)
    assert own in FLOOR_OF, f"give {own} a floor"
    for name in imported(path):
        assert name.startswith("synflow_jax."), f"{own} imports {name}"
        other = name.split(".")[1]
        assert other == own or FLOOR_OF[other] <= FLOOR_OF[own], f"{own} imports {other}"


def test_no_private_jax() -> None:
    for path in [*FILES, *OUTSIDE]:
        assert "jax._src" not in path.read_text(), path


def test_experiments_and_benchmarks_use_the_public_names() -> None:
    for path in OUTSIDE:
        for name in imported(path):
            assert name == "synflow_jax" or name.startswith("experiments"), f"{path}: {name}"


def test_importing_imports_no_flax() -> None:
    code = "import sys, synflow_jax; sys.exit('flax' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
