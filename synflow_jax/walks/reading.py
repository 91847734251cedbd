"""Reading the graph of units off a function's program.

Each value that depends on the inputs is followed as an array of whole numbers: the unit that each
element belongs to, or -1 for what belongs to none, such as padding. Operations that move elements
are done to these numbers themselves. A product makes new units, one for each of its outputs, and
edges to them (`connecting`); a sum of two different units makes one that both lead to. All else
must treat the elements of one unit alike.

The elements of an input are units of their own, until something treats several of them alike, as a
convolution does the positions of a channel: then they're tied, and the program is read again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from synflow_jax import wiring
from synflow_jax.checks import source_line
from synflow_jax.walks.connecting import Connected, conv_product, dot_product
from synflow_jax.walks.graph import Edges, Graph
from synflow_jax.walks.values import NONE, Flow, Still, UnfollowedError, combined, flowing, moved

_SUMS = frozenset(("add", "add_any", "sub"))
_REDUCTIONS = frozenset(("reduce_max", "reduce_min", "reduce_sum"))
_POOLS = frozenset(("reduce_window_max", "reduce_window_min", "reduce_window_sum"))
_PRODUCTS = {"dot_general": dot_product, "conv_general_dilated": conv_product}


def graph_of(program: wiring.Program, params: Sequence[Still]) -> Graph:
    """The graph of a program whose first inputs are params, and whose others are the network's.

    Raises:
        ValueError: an operation can't be followed; it's named with its line.
    """
    shapes = [program.shape(value) for value in program.inputs[len(params) :]]
    classes = np.arange(sum(map(int, map(np.prod, shapes))), dtype=np.int32)
    while True:
        inputs = int(classes.max(initial=NONE)) + 1
        reader, refusal = _Reader(program, inputs, inputs), None
        parts = np.split(classes, np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1])
        flows = [Flow(part.reshape(shape)) for part, shape in zip(parts, shapes, strict=True)]
        try:
            reader.read(program.steps, dict(zip(program.inputs, [*params, *flows], strict=True)))
        except ValueError as error:
            refusal = error
        if not reader.ties:
            break
        classes = wiring.tied_classes(reader.ties, reader.first)[classes].astype(np.int32)
    if refusal:
        raise refusal
    return reader.graph()


@dataclass
class _Reader:
    """What is known after some steps.

    Attributes:
        program: the function.
        first: the number of the first unit that isn't an input's.
        nodes: how many units there are.
        edges: of each product or sum so far.
        ties: inputs' units that are one.
        values: by their number in the program.
    """

    program: wiring.Program
    first: int
    nodes: int
    edges: list[Edges] = field(default_factory=list)
    ties: list[wiring.Tie] = field(default_factory=list)
    values: dict[int, Still | Flow] = field(default_factory=dict)

    def graph(self) -> Graph:
        outputs = [self.values.get(value) for value in self.program.outputs]
        units = [own.units.reshape(-1) for own in outputs if isinstance(own, Flow)]
        if not units:
            raise ValueError("no output depends on the inputs, so that there are no paths")
        empty = Edges(*(np.zeros(0, kind) for kind in (np.int32, np.int32, np.int32, float)))
        edges = Edges(*map(np.concatenate, zip(*(self.edges or [empty]), strict=True)))
        starts = [0, *np.cumsum([len(own.sources) for own in self.edges]).tolist()]
        ends = np.unique(np.concatenate(units))
        inputs = np.arange(self.first, dtype=np.int32)
        return Graph(edges, starts, inputs, ends[ends != NONE], self.nodes)

    def read(self, steps: Iterable[wiring.Step], values: dict[int, Still | Flow]) -> None:
        self.values.update(values)
        for step in steps:
            if step.body and step.name != "scan":
                self.read(step.body, {})
                continue
            operands = [self.value(number) for number in step.operands]
            if all(isinstance(own, Still) for own in operands):
                results = combined(step, [own for own in operands if isinstance(own, Still)])
            else:
                results = self.followed(step, operands)
            self.values.update(zip(step.results, results, strict=True))

    def value(self, number: int) -> Still | Flow:
        if number not in self.values:
            self.values[number] = Still(self.program.constants[number])
        return self.values[number]

    def followed(self, step: wiring.Step, operands: list[Still | Flow]) -> Sequence[Still | Flow]:
        try:
            if step.name in _PRODUCTS:
                product = _PRODUCTS[step.name](step, operands, self.alike)
                return [self.connected(product, self.program.shape(step.results[0]))]
            if step.name in wiring.ELEMENTWISE:
                return self.together(step, operands)
            if step.name in _REDUCTIONS:
                units = self.alike(flowing(operands[0]), step.equation.params["axes"])
                return [Flow(units.squeeze(step.equation.params["axes"]))]
            if step.name in _POOLS:
                return [self.pooled(step, flowing(operands[0]))]
            return moved(step, operands)
        except UnfollowedError as error:
            raise ValueError(
                f"phew can't follow '{step.name}' at {source_line(step)}: {error}; it takes dense "
                "and convolutional layers, activations element by element, normalization by "
                "constants, pooling and sums"
            ) from None

    def connected(self, product: Connected, shape: tuple[int, ...]) -> Flow:
        targets = np.arange(self.nodes, self.nodes + product.targets, dtype=np.int32)
        self.nodes += product.targets
        known = product.sources != NONE
        sources, places, weights, sizes = (
            np.broadcast_to(own, known.shape)[known]
            for own in (product.sources, product.places, product.weights, product.sizes)
        )
        self.edges.append(Edges(sources, targets[places], weights, sizes))
        return Flow(np.broadcast_to(targets.reshape(product.kept), shape))

    def alike(self, flow: Flow, axes: Sequence[int]) -> np.ndarray:
        """The units along axes, in which they must not differ, with these axes of size 1."""
        units, axes = flow.units, tuple(axes)
        high = units.max(axes, keepdims=True, initial=NONE)
        own = np.where(units == NONE, np.iinfo(np.int32).max, units)
        low = own.min(axes, keepdims=True, initial=np.iinfo(np.int32).max)
        differ = low < high
        if (high[differ] >= self.first).any():
            raise UnfollowedError("it takes several units together")
        if differ.any():
            several = np.broadcast_to(differ, units.shape) & (units != NONE)
            self.ties.append(wiring.Tie(np.broadcast_to(low, units.shape)[several], units[several]))
        return np.where(differ, low, high)

    def pooled(self, step: wiring.Step, operand: Flow) -> Flow:
        axes = [axis for axis, each in enumerate(wiring.windowed(step, operand.units.ndim)) if each]
        shape = self.program.shape(step.results[0])
        return Flow(np.broadcast_to(self.alike(operand, axes), shape))

    def together(self, step: wiring.Step, operands: list[Still | Flow]) -> list[Flow | Still]:
        if len(step.results) > 1:  # each operand has its own
            return list(operands)
        flows = [own.units for own in operands if isinstance(own, Flow)]
        return [Flow(reduce(lambda a, b: self.joined(step, a, b), flows))]

    def joined(self, step: wiring.Step, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """The units of elements that are worked on together: new ones where a sum adds two."""
        found = np.where(one == NONE, other, one)
        differ = (one != other) & (one != NONE) & (other != NONE)
        if not differ.any():
            return found
        if step.name not in _SUMS:
            raise UnfollowedError("it combines different units, and isn't a sum")
        pairs, places = np.unique(
            np.stack([one[differ], other[differ]], 1), axis=0, return_inverse=True
        )
        new = np.arange(self.nodes, self.nodes + len(pairs), dtype=np.int32)
        self.nodes += len(pairs)
        none = np.full(2 * len(pairs), NONE, np.int32)
        ends = np.concatenate([new, new])
        self.edges.append(Edges(pairs.T.reshape(-1), ends, none, np.ones(2 * len(pairs))))
        found = found.copy()
        found[differ] = new[places.reshape(-1)]
        return found
