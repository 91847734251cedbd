"""What compaction left, layer by layer."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from synflow_jax import wiring
from synflow_jax.checks import source_line
from synflow_jax.compaction.whole import Decision, Whole
from synflow_jax.tables import as_html, as_text


class Layer(NamedTuple):
    """A parameter before and after.

    Attributes:
        name: the leaf's name.
        shape: its shape before.
        left: its shape after.
        kept: how many of what is left the mask keeps.
        multiplications: multiply-adds for one input before.
        multiplications_left: those after.
    """

    name: str
    shape: tuple[int, ...]
    left: tuple[int, ...]
    kept: int
    multiplications: int
    multiplications_left: int


@dataclass(frozen=True)
class Report:
    """What is left of a network, as text or, in notebooks, a table of HTML.

    Attributes:
        layers: one for each parameter of two dimensions or more, in the order of the leaves.
        others: how many numbers all other params hold, before and after.
        constant: how many units stay although nothing leads into them, for their constant.
        held: operation and source line, and how many units it holds back that nothing uses.
    """

    layers: tuple[Layer, ...]
    others: tuple[int, int]
    constant: int
    held: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return "\n".join([as_text(self._texts(), names=3), *self._notes()])

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return as_html(self._texts(), names=3, notes=self._notes())

    def _texts(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [
            ("layer", "shape", "left", "weights", "left", "multiplications", "left")
        ]
        for layer in self.layers:
            sizes = math.prod(layer.shape), math.prod(layer.left)
            counts = (*sizes, layer.multiplications, layer.multiplications_left)
            shapes = ("x".join(map(str, shape)) for shape in (layer.shape, layer.left))
            rows.append((layer.name, *shapes, *(f"{count:,}" for count in counts)))
        rows.append(("others", "", "", *(f"{count:,}" for count in self.others), "", ""))
        rows.append(("total", "", "", *(f"{count:,}" for count in self.total)))
        return rows

    def _notes(self) -> list[str]:
        constant = [f"{self.constant} units stay for a constant that they hold"]
        held = [f"{count} units held back by {where}" for where, count in self.held]
        return [*(constant if self.constant else []), *held]

    @property
    def total(self) -> tuple[int, int, int, int]:
        """Numbers in all params before and after; multiply-adds for one input before and after."""
        return (
            sum(math.prod(layer.shape) for layer in self.layers) + self.others[0],
            sum(math.prod(layer.left) for layer in self.layers) + self.others[1],
            sum(layer.multiplications for layer in self.layers),
            sum(layer.multiplications_left for layer in self.layers),
        )


def report_of(
    whole: Whole, program: wiring.Program, decision: Decision, masks: list[Any], inputs: Any
) -> Report:
    """The report of a decision."""
    params = program.inputs[: len(whole.avals)]
    products = wiring.multiplications(program, params, decision.kept)
    batch = wiring.batch_size(inputs)
    layers, others = [], np.zeros(2, int)
    for value, name, aval, left, mask in zip(
        params, whole.names, whole.avals, whole.lefts, masks, strict=True
    ):
        shape = tuple(int(own.sum()) for own in left)
        if len(shape) < 2 and not products[value].before:
            others += math.prod(aval.shape), math.prod(shape)
            continue
        pattern = np.broadcast_to(np.asarray(mask), aval.shape)
        kept = int(pattern[np.ix_(*left)].sum()) if shape else 1
        counts = (count // batch for count in products[value])
        layers.append(Layer(name, aval.shape, shape, kept, *counts))
    held = tuple((f"'{s.name}' at {source_line(s)}", n) for s, n in decision.held.items())
    return Report(tuple(layers), (int(others[0]), int(others[1])), decision.constant, held)
