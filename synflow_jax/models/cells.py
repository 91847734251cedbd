"""The cells of NAS-Bench-201: their strings, and one-hot choices of an operation for each edge."""

import itertools
import re

import numpy as np

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""What an edge of a cell may be, in the order of a choice's last axis."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""From which node to which the edges of a cell lead, in the order of its string."""


def parse_cell(cell: str) -> tuple[str, ...]:
    """The operations of a cell's six edges, from NAS-Bench-201's string.

    Args:
        cell: nodes 1, 2 and 3, each with the edges that lead to it, ``operation~from``.

    Returns:
        For each of ``EDGES`` one of ``OPERATIONS``.

    Raises:
        TypeError: it isn't a string.
        ValueError: it isn't a cell; the message says where.

    >>> from synflow_jax.models import parse_cell
    >>> parse_cell("|none~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|avg_pool_3x3~2|")
    ('none', 'nor_conv_3x3', 'none', 'skip_connect', 'none', 'avg_pool_3x3')
    """
    if not isinstance(cell, str):
        raise TypeError(f"a cell must be a string, got {type(cell).__name__}")
    nodes = cell.split("+")
    if len(nodes) != 3:
        raise ValueError(f"a cell has 3 nodes with '+' between, got {len(nodes)} in {cell!r}")
    return tuple(
        operation
        for number, node in enumerate(nodes, 1)
        for operation in _operations_of(number, node, cell)
    )


def _operations_of(number: int, node: str, cell: str) -> list[str]:
    edges = re.fullmatch(r"\|(.*)\|", node)
    parts = edges[1].split("|") if edges else []
    if len(parts) != number:
        form = "|" + "".join(f"operation~{source}|" for source in range(number))
        raise ValueError(f"node {number} of a cell is {form}, got {node!r} in {cell!r}")
    for source, part in enumerate(parts):
        operation, _, origin = part.partition("~")
        if operation not in OPERATIONS or origin != str(source):
            raise ValueError(
                f"edge {source} of node {number} of a cell is operation~{source} with one of "
                f"{', '.join(OPERATIONS)}, got {part!r} in {cell!r}"
            )
    return [part.partition("~")[0] for part in parts]


def cell_string(choice: np.ndarray) -> str:
    """NAS-Bench-201's string of a one-hot choice.

    Args:
        choice: ``(6, 5)``, 1 where an edge is an operation.

    Returns:
        Nodes 1 to 3, each with its incoming edges ``operation~from``.

    Raises:
        ValueError: the choice has another number of edges.

    >>> from synflow_jax.models import cell_choices, cell_string
    >>> cell_string(cell_choices(["|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"])[0])
    '|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|'
    """
    nodes = {1: "|", 2: "|", 3: "|"}
    for (source, node), index in zip(EDGES, np.argmax(choice, axis=-1), strict=True):
        nodes[node] += f"{OPERATIONS[index]}~{source}|"
    return "+".join(nodes.values())


def cell_choices(cells: list[str] | tuple[str, ...] | None = None) -> np.ndarray:
    """One-hot choices of the cells, or of all 15,625 there are.

    Args:
        cells: NAS-Bench-201's strings.

    Returns:
        float32 of shape ``(cells, 6, 5)``: for each edge, 1 at its operation.

    Raises:
        ValueError: one of them isn't a cell.

    >>> from synflow_jax.models import cell_choices
    >>> cell_choices().shape
    (15625, 6, 5)
    """
    if cells is None:
        indices = np.array(list(itertools.product(range(len(OPERATIONS)), repeat=len(EDGES))))
    else:
        found = [[OPERATIONS.index(name) for name in parse_cell(cell)] for cell in cells]
        indices = np.array(found, int).reshape(-1, len(EDGES))
    return np.eye(len(OPERATIONS), dtype=np.float32)[indices]
