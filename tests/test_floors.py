"""The floors of the house: imports go downward only, and the core needs no Flax."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "synflow_jax"
FLOORS = [
    {
        "types",
        "checks",
        "schedules",
        "selection",
        "homogeneous",
        "wiring",
        "tables",
        "copies",
    },
    {
        "scores",
        "masks",
        "losses",
        "diagnostics",
        "adapters",
        "models",
        "sparse_files",
        "walks",
        "early_bird",
        "plots",
    },
    {"architectures", "rounds", "compaction", "units", "sparse_training"},
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


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_packages_have_one_door(path: Path) -> None:
    for name in imported(path):
        steps = name.split(".")[1:]
        inside = PACKAGE.joinpath(*steps[:2]).with_suffix(".py")
        # A function may have its module's name; its package then exports it.
        exported = len(steps) == 2 and steps[1] in defined(PACKAGE / steps[0] / "__init__.py")
        if len(steps) >= 2 and inside.exists() and not exported:
            assert part(path) == steps[0], f"{path} imports {name} past its package's door"


def defined(path: Path) -> set[str]:
    """The functions, classes and imports at the top of a file, if there is one."""
    if not path.exists():
        return set()
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return found


def locals_of(tree: ast.AST) -> set[str]:
    """Arguments and what is assigned or defined within functions, comprehensions too."""
    found = set()
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.Lambda):
            found |= {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    found.add(node.id)
                elif isinstance(node, ast.FunctionDef) and node is not function:
                    found.add(node.name)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_local_hides_a_function(path: Path) -> None:
    """A name means one thing in a file: what it defines or imports at its top."""
    assert not locals_of(ast.parse(path.read_text())) & defined(path)


def module(path: Path) -> str:
    """The name of the module in a file of the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_circles() -> None:
    """No module needs itself, by late imports either, and types alone aside."""
    modules = {module(path) for path in FILES}
    needs = {}
    for path in FILES:
        names = {name if name in modules else name.rpartition(".")[0] for name in imported(path)}
        # A package's door imports its rooms; what a room imports from its door would be a circle.
        needs[module(path)] = names & modules
    order = list(graphlib.TopologicalSorter(needs).static_order())
    assert len(order) == len(modules) > 40


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
