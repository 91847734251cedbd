"""The report page: everything in it, nothing to load, nothing unescaped."""

import json
import re
from base64 import b64decode
from html import unescape
from pathlib import Path

import pytest

from experiments.report.__main__ import main

HOSTILE = "<script>alert('&')</script>"
CONFIG = {
    "experiment": "singleshot",
    "options": {"epochs": 8, "methods": ["synflow", HOSTILE], "mask": None},
    "versions": {"jax": "0.10.2"},
    "device": {"platform": "cpu", "kind": "a kind of device"},
}
ROWS = "method,kept,accuracy\n" + "".join(f"synflow,{1068 + i},0.{i + 1}234567\n" for i in range(8))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "results" / "singleshot" / "a run"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "rows.csv").write_text(ROWS)
    (folder / "singleshot.png").write_bytes(b"PNG bytes")
    (folder / "singleshot.svg").write_text("<svg/>")
    (folder / "layers.png").write_bytes(b"more PNG bytes")
    return folder


def report(run: Path, *options: str) -> str:
    output = run.parents[2] / "report.html"
    main([str(run), "--output", str(output), *options])
    return output.read_text()


def embedded(text: str, media_type: str) -> list[bytes]:
    return [b64decode(data) for data in re.findall(rf"data:{media_type};base64,([^\"]*)", text)]


def test_page_holds_figures_and_tables_and_loads_nothing(run: Path) -> None:
    text = report(run)
    sources = re.findall(r'src="([^"]*)"', text)
    assert len(sources) == 2
    assert all(source.startswith("data:") for source in sources)
    assert not re.search(r"https?:|<script|<link|@import|url\(", text)
    assert embedded(text, "image/png") == [b"more PNG bytes"]
    assert embedded(text, r"image/svg\+xml") == [b"<svg/>"]
    assert embedded(text, "text/csv;charset=utf-8") == [ROWS.encode()]
    assert 'name="viewport"' in text


def test_numbers_options_versions_and_device_are_there(run: Path) -> None:
    text = report(run)
    cells = re.findall(r"<td[^>]*>(.*?)</td>", text)
    for cell in ("1,068", "1,075", "0.123457", "0.823457", "8", "none", "0.10.2"):
        assert cell in cells
    assert "a kind of device" in text
    assert 'href="results/singleshot/a%20run/rows.csv"' in text


def test_long_tables_are_cut_with_a_note(run: Path) -> None:
    text = report(run, "--rows", "3")
    assert "The first 3 of 8 rows" in text
    assert "1,070" in text
    assert "1,071" not in text
    assert embedded(text, "text/csv;charset=utf-8") == [ROWS.encode()]


def test_everything_is_escaped(run: Path) -> None:
    (run / "rows.csv").write_text(f'method\n"{HOSTILE}"\n')
    text = report(run, "--title", HOSTILE)
    assert "<script" not in text
    assert unescape(text).count(HOSTILE) == 4  # title, heading, option, cell


def refused(args: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main(args)
    assert caught.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 1
    return output.err


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "is no run: it has no config.json"),
        ("{", "isn't JSON"),
        ("[]", "has no 'experiment'"),
        (json.dumps({**CONFIG, "versions": 1}), "has no 'versions'"),
        (json.dumps(CONFIG), "neither a table nor a figure"),
    ],
)
def test_what_is_no_run_is_refused_in_one_line(
    config: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    output = tmp_path / "report.html"
    assert words in refused([str(tmp_path), "--output", str(output)], capsys)
    assert not output.exists()


def test_bad_options_are_refused_in_one_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "each once" in refused([str(run), str(run)], capsys)
    assert "--rows must be >= 1, got 0" in refused([str(run), "--rows", "0"], capsys)
    assert "can't use" in refused([str(run), "--output", str(run / "rows.csv" / "x")], capsys)
    (run / "rows.csv").write_text("a,b\n1\n")
    assert "rows of other lengths" in refused([str(run)], capsys)
