"""Scalar graphs of any size: chemical kinetics unrolled over many steps, and steps of an N-body problem."""

from __future__ import annotations

import itertools

from elimax.graph.types import Edge, Graph, Vertex
from elimax.structure.term import Kind, scalar


class Recorder:
    """Writes down a scalar program operation by operation."""

    def __init__(self, num_inputs: int):
        self.count = num_inputs
        self.num_inputs = num_inputs
        self.edges: list[Edge] = []

    def apply(self, *operands: tuple[int, Kind]) -> int:
        """One operation; each operand comes with the kind of its partial."""
        merged: dict[int, Kind] = {}
        for source, kind in operands:
            merged[source] = Kind.VARIABLE if source in merged else kind
        v = self.count
        self.count += 1
        self.edges += [Edge(source, v, scalar(kind)) for source, kind in sorted(merged.items())]
        return v

    def add(self, a: int, b: int) -> int:
        return self.apply((a, Kind.UNIT), (b, Kind.UNIT))

    def scale(self, a: int) -> int:
        return self.apply((a, Kind.CONSTANT))

    def multiply(self, a: int, b: int) -> int:
        return self.apply((a, Kind.VARIABLE), (b, Kind.VARIABLE))

    def elementary(self, a: int) -> int:
        return self.apply((a, Kind.VARIABLE))

    def graph(self, outputs: list[int], name: str) -> Graph:
        """The graph that was written down, without what no output depends on."""
        used = set(outputs)
        for edge in reversed(self.edges):
            if edge.target in used:
                used.add(edge.source)
        kept = sorted(used | set(range(self.num_inputs)))
        number = {v: position for position, v in enumerate(kept)}
        edges = tuple(
            Edge(number[edge.source], number[edge.target], edge.structure) for edge in self.edges if edge.target in used
        )
        return Graph(
            (Vertex(),) * len(kept),
            tuple(range(self.num_inputs)),
            tuple(number[v] for v in dict.fromkeys(outputs)),
            edges,
            name,
        )


def kinetics(num_vertices: int, species: int = 8) -> Graph:
    """Explicit Euler steps of a ring of reactions ``A_i + A_(i+1) -> A_(i+2)`` with temperature-dependent rates."""
    record = Recorder(species + 2)
    state = list(range(species))
    while record.count < num_vertices:
        rates = []
        for i in range(species):
            rate = record.multiply(species + i % 2, record.elementary(state[i]))
            rates.append(record.multiply(rate, state[(i + 1) % species]))
        change = []
        for i in range(species):
            gain = record.add(rates[i - 2], rates[i - 1])
            change.append(record.add(gain, rates[i]))
        state = [record.add(old, record.scale(new)) for old, new in zip(state, change, strict=True)]
    return record.graph(state, f"kinetics of {species} species")


def bodies(num_vertices: int, number: int = 6) -> Graph:
    """Steps of ``number`` bodies that attract each other in the plane: inputs are positions and velocities."""
    record = Recorder(4 * number)
    position = [list(range(2 * i, 2 * i + 2)) for i in range(number)]
    velocity = [list(range(2 * number + 2 * i, 2 * number + 2 * i + 2)) for i in range(number)]
    while record.count < num_vertices:
        force: list[list[int]] = [[-1, -1] for _ in range(number)]
        for i, j in itertools.combinations(range(number), 2):
            apart = [record.add(position[i][axis], position[j][axis]) for axis in range(2)]
            squared = record.add(record.multiply(apart[0], apart[0]), record.multiply(apart[1], apart[1]))
            weight = record.elementary(squared)
            for axis in range(2):
                pull = record.multiply(weight, apart[axis])
                for body in (i, j):
                    old = force[body][axis]
                    force[body][axis] = pull if old < 0 else record.add(old, pull)
        for i in range(number):
            for axis in range(2):
                velocity[i][axis] = record.add(velocity[i][axis], record.scale(force[i][axis]))
                position[i][axis] = record.add(position[i][axis], record.scale(velocity[i][axis]))
    return record.graph([v for pair in position + velocity for v in pair], f"{number} bodies")
