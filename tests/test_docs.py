"""The site: every page is in its list, every public name in its API."""

import re
from pathlib import Path
from types import ModuleType

import synflow_jax as sf

DOCS = Path(__file__).parents[1] / "docs"


def test_all_public_names_are_in_the_api() -> None:
    text = (DOCS / "api.md").read_text()
    shown = re.findall(r"^\.\. auto(?:class|function|data):: (\w+)$", text, re.MULTILINE)
    own = {
        name
        for name, value in vars(sf).items()
        if name[0] != "_"
        and not isinstance(value, ModuleType)
        and name not in ("Any", "TYPE_CHECKING", "import_module")
    }
    own |= {
        name
        for name, value in vars(sf.models).items()
        if name[0] != "_" and not isinstance(value, ModuleType)
    }
    assert own <= set(shown)
    assert len(shown) == len(set(shown))


def test_all_pages_are_listed() -> None:
    listed = set(re.findall(r"^([\w-]+)$", (DOCS / "index.md").read_text(), re.MULTILINE))
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    assert pages == listed & pages
