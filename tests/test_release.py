"""The version stands in three files; it must be the same."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_one_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [version]
    headings = re.findall(r"^## (\S+?)(?:,|$)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == version
