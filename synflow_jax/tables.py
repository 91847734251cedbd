"""Tables of texts, drawn as text and as HTML."""

from collections.abc import Sequence
from html import escape

Rows = Sequence[Sequence[str]]


def as_text(rows: Rows, names: int) -> str:
    """Rows of texts below each other, the first the head; all but the first ``names`` columns
    end flush.

    >>> print(as_text([("layer", "size"), ("dense", "12"), ("head", "1,000")], names=1))
    layer   size
    dense     12
    head   1,000
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column < names else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def as_html(rows: Rows, names: int, notes: Sequence[str] = ()) -> str:
    """The same as an HTML table whose first row is the head and last the foot, and notes below.

    >>> as_html([("layer", "size"), ("a<b", "12"), ("total", "12")], names=1).count("a&lt;b")
    1
    """
    head, *body, foot = rows
    return "\n".join(
        [
            "<table>",
            f"<thead>{_row(head, names, 'th')}</thead>",
            "<tbody>",
            *(_row(row, names, "td") for row in body),
            "</tbody>",
            f"<tfoot>{_row(foot, names, 'th')}</tfoot>",
            "</table>",
            *(f"<p>{escape(note)}</p>" for note in notes),
        ]
    )


def _row(texts: Sequence[str], names: int, tag: str) -> str:
    sides = ("left" if column < names else "right" for column in range(len(texts)))
    cells = (
        f'<{tag} style="text-align: {side}">{escape(text)}</{tag}>'
        for side, text in zip(sides, texts, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"
