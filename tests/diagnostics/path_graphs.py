"""Networks as graphs: a node a unit at a position, an edge a use of a weight, paths by search."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Nodes = np.ndarray
"""Numbers of nodes, in the shape of a value: (height, width, channels) or (units,)."""


@dataclass
class Graph:
    """A network under a mask.

    Attributes:
        mask: by name of the layer.
        positions: whether a unit at each position is a node of its own.
        edges: from a node to a node by the name and index of a weight, or by nothing.
        count: how many nodes there are.
    """

    mask: dict[str, np.ndarray]
    positions: bool
    edges: list[tuple[int, int, Any]] = field(default_factory=list)
    count: int = 0

    def new(self, *shape: int) -> Nodes:
        """Nodes of a value; without positions one for all of them."""
        own = shape if self.positions or len(shape) == 1 else (1, 1, shape[-1])
        nodes = np.arange(self.count, self.count + int(np.prod(own))).reshape(own)
        self.count += nodes.size
        return np.broadcast_to(nodes, shape)

    def link(self, source: int, target: int, name: str, *index: int) -> None:
        if self.mask[name][index]:
            self.edges.append((source, target, (name, *index)))

    def dense(self, before: Nodes, name: str) -> Nodes:
        after = self.new(self.mask[name].shape[1])
        for i, o in np.ndindex(self.mask[name].shape):
            self.link(before[i], after[o], name, i, o)
        return after

    def conv(self, before: Nodes, name: str, *, stride: int = 1, groups: int = 1) -> Nodes:
        """3x3 kernels, padded by one on each side."""
        rows, columns, inputs, outputs = self.mask[name].shape
        height, width = (-(-size // stride) for size in before.shape[:2])
        after = self.new(height, width, outputs)
        for y, x in np.ndindex(height, width):
            for a, b, i, o in np.ndindex(rows, columns, inputs, outputs):
                row, column = y * stride + a - 1, x * stride + b - 1
                inside = 0 <= row < before.shape[0] and 0 <= column < before.shape[1]
                if inside or not self.positions:
                    place = (row, column) if inside else (0, 0)
                    channel = o // (outputs // groups) * inputs + i
                    self.link(before[(*place, channel)], after[y, x, o], name, a, b, i, o)
        return after

    def pool(self, before: Nodes, window: int) -> Nodes:
        height, width, channels = before.shape
        after = self.new(height // window, width // window, channels)
        for y, x, c in np.ndindex(*after.shape):
            for a, b in np.ndindex(window, window):
                source = before[y * window + a, x * window + b, c]
                self.edges.append((source, after[y, x, c], None))
        return after

    def mean(self, before: Nodes) -> Nodes:
        """Over all positions."""
        after = self.new(before.shape[-1])
        for y, x, c in np.ndindex(*before.shape):
            self.edges.append((before[y, x, c], after[c], None))
        return after

    def add(self, *values: Nodes) -> Nodes:
        after = self.new(*values[0].shape)
        for value in values:
            pairs = zip(value.ravel().tolist(), after.ravel().tolist(), strict=True)
            self.edges += [(*pair, None) for pair in pairs]
        return after

    def used(self, inputs: Nodes, outputs: Nodes) -> dict[str, np.ndarray]:
        """The weights on paths."""
        ahead = _reached([(a, b) for a, b, _ in self.edges], inputs)
        back = _reached([(b, a) for a, b, _ in self.edges], outputs)
        found = {name: np.zeros(flags.shape, bool) for name, flags in self.mask.items()}
        for source, target, weight in self.edges:
            if weight and source in ahead and target in back:
                found[weight[0]][weight[1:]] = True
        return found


def _reached(edges: list[tuple[int, int]], start: Nodes) -> set[int]:
    after = defaultdict(list)
    for source, target in edges:
        after[source].append(target)
    found, left = set(start.ravel().tolist()), start.ravel().tolist()
    while left:
        new = set(after[left.pop()]) - found
        found |= new
        left += new
    return found
