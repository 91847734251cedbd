"""The rooms of the experiments: no study imports another, and imports between rooms go one way."""

import ast
import os
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import jax
import pytest

from experiments.runs.commands import begin
from experiments.runs.compilation import SWITCH, cache_folder, use_compilation_cache
from experiments.runs.options import RunOptions

FOLDER = Path(__file__).parents[2] / "experiments"
FILES = sorted(FOLDER.rglob("*.py"))
STUDIES = {path.parent.name for path in FOLDER.glob("*/__main__.py")}
CACHE = "jax_compilation_cache_dir"
SECONDS = "jax_persistent_cache_min_compile_time_secs"


def room(path: Path) -> str:
    return path.relative_to(FOLDER).parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    """The rooms of the experiments that a file imports, anywhere in it, but its own."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [module.split(".") for module in modules]
    return {names[1] for names in parts if names[0] == "experiments"} - {room(path)}


def test_studies_are_found() -> None:
    assert {"singleshot", "multishot", "fig2", "train", "report"} <= STUDIES


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_nobody_imports_a_study(path: Path) -> None:
    assert not rooms_imported(path) & STUDIES


def test_rooms_import_one_way() -> None:
    graph = defaultdict(set)
    for path in FILES:
        graph[room(path)] |= rooms_imported(path)
    assert list(TopologicalSorter(graph).static_order())


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A cache directory of the test's own, and JAX's settings put back afterward."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(SWITCH, raising=False)
    before = {name: getattr(jax.config, name) for name in (CACHE, SECONDS)}
    jax.config.update(CACHE, None)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.mark.usefixtures("no_cache")
def test_compiled_programs_go_to_the_users_cache(tmp_path: Path) -> None:
    use_compilation_cache()
    assert Path(getattr(jax.config, CACHE)) == cache_folder()
    assert cache_folder().parent == tmp_path / "synflow_jax" / "compiled"
    assert getattr(jax.config, SECONDS) == 0


@pytest.mark.usefixtures("no_cache")
def test_a_chosen_cache_is_left_and_one_can_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "off")
    use_compilation_cache()
    assert getattr(jax.config, CACHE) is None
    monkeypatch.delenv(SWITCH)
    jax.config.update(CACHE, "elsewhere")
    use_compilation_cache()
    assert getattr(jax.config, CACHE) == "elsewhere"


@pytest.mark.usefixtures("no_cache")
def test_without_a_place_there_is_no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    use_compilation_cache()
    assert getattr(jax.config, CACHE) is None


def test_commands_that_tests_start_leave_the_users_cache_alone() -> None:
    assert os.environ[SWITCH] == "off"


@pytest.mark.usefixtures("no_cache")
def test_a_command_switches_it_on_and_a_call_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    begin(RunOptions, "study", [])
    assert getattr(jax.config, CACHE) is None
    monkeypatch.setattr("sys.argv", ["study"])
    begin(RunOptions, "study", None)
    assert getattr(jax.config, CACHE) == str(cache_folder())
