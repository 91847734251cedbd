"""Tables as text and as notebooks show them."""

from xml.etree import ElementTree

import jax.numpy as jnp
import numpy as np

import synflow_jax as sf
from synflow_jax.tables import as_html, as_text

PARAMS = {"a<b>&": jnp.ones((2, 3)), "head": jnp.ones((3, 600))}
MASK = {"a<b>&": np.zeros((2, 3), bool), "head": np.ones((3, 600), bool)}


def cells(html: str) -> list[list[str | None]]:
    """What a parser of XML reads in each row."""
    root = ElementTree.fromstring(f"<div>{html}</div>")
    return [[cell.text for cell in row] for row in root.iter("tr")]


def test_layer_table() -> None:
    html = sf.layer_table(MASK, PARAMS)._repr_html_()
    assert cells(html) == [
        ["layer", "shape", "size", "kept", "density"],
        ["a<b>&", "2x3", "6", "0", "0"],
        ["head", "3x600", "1,800", "1,800", "1"],
        ["total", None, "1,806", "1,800", "0.9967"],
    ]
    root = ElementTree.fromstring(html)
    assert [each.tag for each in root] == ["thead", "tbody", "tfoot"]
    assert [cell.get("style") for cell in root[0][0]] == [
        f"text-align: {side}" for side in ("left", "left", "right", "right", "right")
    ]


def test_no_layers() -> None:
    html = sf.layer_table({"bias": np.array(True)}, {"bias": jnp.ones(2)})._repr_html_()
    assert [row[0] for row in cells(html)] == ["layer", "total"]


def test_what_compact_left() -> None:
    def apply_fn(params, x):
        return (x @ params["in"] + 1.0) @ params["out"]

    params = {"in": jnp.ones((2, 3)), "out": jnp.ones((3, 1))}
    mask = {"in": np.array([[True, False, False]] * 2), "out": np.ones((3, 1), bool)}
    small = sf.compact(apply_fn, params, mask, jnp.ones((1, 2)))
    html = small._repr_html_()
    assert cells(html) == [[text or None for text in row] for row in small.report._texts()]
    note = "2 units stay for a constant that they hold"
    assert html.endswith(f"<p>{note}</p>")
    assert str(small).endswith(note)


def test_both_say_the_same() -> None:
    rows = [("name", "count"), ("<x>", "7"), ("total", "7")]
    assert as_text(rows, names=1).split() == [
        text for row in cells(as_html(rows, 1)) for text in row
    ]
