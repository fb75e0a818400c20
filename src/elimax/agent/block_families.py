"""Random graphs of blocks to train on, shaped like programs with arrays.

Like `elimax.agent.families` they are made directly as graphs: the structure of each partial is that of a usual
operation on arrays. Nothing here is a problem of the zoo, of CUTEst, or a random program of the zoo.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from elimax.graph.types import Edge, Graph, Vertex
from elimax.structure import algebra
from elimax.structure.term import Affine, AxisMap, IndexTable, Kind, Structure, Table, Term

Shape = tuple[int, ...]
UNIT, VARIABLE = Kind.UNIT, Kind.VARIABLE


def _at(label: int, offset: int = 0) -> Affine:
    return Affine(offset, ((label, 1),))


def _term(sizes: Shape, outs: tuple[AxisMap, ...], ins: tuple[AxisMap, ...], values: Shape, kind: Kind) -> Structure:
    kind = Kind.VARIABLE if values and kind == UNIT else kind
    return (Term(sizes, outs, ins, values, kind),)


def elementwise(shape: Shape, kind: Kind) -> Structure:
    """Of a function applied to each element; with a unit partial the identity."""
    labels = tuple(range(len(shape)))
    axes = tuple(_at(label) for label in labels)
    return _term(shape, axes, axes, () if kind == UNIT else labels, kind)


def spread(shape: Shape, kind: Kind) -> Structure:
    """Of a scalar that meets every element."""
    labels = tuple(range(len(shape)))
    return _term(shape, tuple(_at(label) for label in labels), (), () if kind == UNIT else labels, kind)


def reduced(shape: Shape, kind: Kind) -> Structure:
    """Of a reduction to a scalar."""
    labels = tuple(range(len(shape)))
    return _term(shape, (), tuple(_at(label) for label in labels), () if kind == UNIT else labels, kind)


def matrix(rows: int, columns: int) -> Structure:
    """Of a matrix times a vector, with respect to the vector."""
    return _term((rows, columns), (_at(0),), (_at(1),), (0, 1), VARIABLE)


def of_matrix(rows: int, columns: int) -> Structure:
    """The same with respect to the matrix: a row meets the vector."""
    return _term((rows, columns), (_at(0),), (_at(0), _at(1)), (1,), VARIABLE)


def element(index: int) -> Structure:
    """Of one element of a vector."""
    return _term((), (), (Affine(index),), (), UNIT)


def placed(index: int) -> Structure:
    """Of a scalar that becomes one element of a vector."""
    return _term((), (Affine(index),), (), (), UNIT)


def window(size: int, into: int, out_of: int) -> Structure:
    """Of elements next to each other that are taken from a vector, or put into one."""
    return _term((size,), (_at(0, into),), (_at(0, out_of),), (), UNIT)


def gathered(indices: np.ndarray) -> Structure:
    """Of elements of a vector by a table of indices."""
    return _term((indices.size,), (_at(0),), (Table(0, IndexTable(indices)),), (), UNIT)


class _Draft:
    """A graph in the making; every vertex is added after its sources."""

    def __init__(self, rng: np.random.Generator, inputs: list[Shape]):
        self.rng, self.inputs = rng, len(inputs)
        self.shapes: list[Shape] = list(inputs)
        self.edges: dict[tuple[int, int], Structure] = {}
        self.used: set[int] = set()

    @property
    def count(self) -> int:
        return len(self.shapes)

    def add(self, shape: Shape, *partials: tuple[int, Structure]) -> int:
        """A value with its partials; twice the same operand is summed."""
        v = self.count
        self.shapes.append(shape)
        for u, structure in partials:
            self.edges[u, v] = algebra.sum(self.edges[u, v], structure) if (u, v) in self.edges else structure
            self.used.add(u)
        return v

    def kind(self) -> Kind:
        """Sums and differences have unit partials, a factor known beforehand a constant one, others variable ones."""
        return (VARIABLE, VARIABLE, VARIABLE, UNIT, UNIT, Kind.CONSTANT)[int(self.rng.integers(6))]

    def each(self, v: int, kind: Kind | None = None) -> int:
        """A function of every element."""
        kind = self.kind() if kind is None else kind
        return self.add(self.shapes[v], (v, elementwise(self.shapes[v], kind)))

    def both(self, v: int, w: int, kind: Kind | None = None) -> int:
        """An operation on two values of one shape, or with a scalar that meets every element."""
        kind = self.kind() if kind is None else kind
        shape = max(self.shapes[v], self.shapes[w], key=len)
        return self.add(
            shape, *((u, elementwise(shape, kind) if self.shapes[u] else spread(shape, kind)) for u in (v, w))
        )

    def sum(self, v: int, kind: Kind = UNIT) -> int:
        """A reduction to a scalar."""
        return self.add((), (v, reduced(self.shapes[v], kind)))

    def dot(self, v: int, w: int) -> int:
        """An inner product."""
        return self.add((), (v, reduced(self.shapes[v], VARIABLE)), (w, reduced(self.shapes[w], VARIABLE)))

    def take(self, v: int, start: int, size: int) -> int:
        """Elements next to each other."""
        return self.add((size,), (v, window(size, 0, start)))

    def join(self, parts: list[int]) -> int:
        """A vector of scalars and vectors, one after the other."""
        partials, place = [], 0
        for part in parts:
            size = math.prod(self.shapes[part])
            partials.append((part, window(size, place, 0) if self.shapes[part] else placed(place)))
            place += size
        return self.add((place,), *partials)

    def graph(self, outputs: list[int], name: str) -> Graph:
        unused = [v for v in range(self.inputs, self.count) if v not in self.used and v not in outputs]
        ends = tuple(dict.fromkeys([*outputs, *unused]))
        edges = sorted((Edge(u, v, s) for (u, v), s in self.edges.items()), key=lambda e: (e.target, e.source))
        vertices = tuple(Vertex(shape) for shape in self.shapes)
        return Graph(vertices, tuple(range(self.inputs)), ends, tuple(edges), name)

    def any_of(self, values: list[int]) -> int:
        return values[int(self.rng.integers(len(values)))]


def _networks(rng: np.random.Generator, size: int) -> Graph:
    """Layers of matrices, with weights and the first values as inputs, to a vector or a scalar."""
    widths = [int(n) for n in rng.integers(2, 24, 2 + size // 6)]
    weights = bool(rng.random() < 0.7)
    draft = _Draft(rng, [(widths[0],), *(pair for pair in zip(widths[1:], widths, strict=False) if weights)])
    h, kept = 0, []
    for layer, (rows, columns) in enumerate(zip(widths[1:], widths, strict=False)):
        of_weights = [(1 + layer, of_matrix(rows, columns))] if weights else []
        h = draft.add((rows,), (h, matrix(rows, columns)), *of_weights)
        h = draft.each(h, VARIABLE)
        if rng.random() < 0.4:
            h = draft.both(draft.sum(h), h, VARIABLE)  # a norm
        if rng.random() < 0.3:
            kept.append(h)
        if draft.count > size + len(widths):
            break
    ends = [h, *kept[-1:]] if rng.random() < 0.5 else [draft.sum(draft.each(h, VARIABLE))]
    return draft.graph(ends, "networks")


def _steps(rng: np.random.Generator, size: int) -> Graph:
    """A field on a line that is advanced in time: shifted windows, elementwise rates, scalars as parameters."""
    n, parameters = int(rng.integers(4, 40)), int(rng.integers(0, 3))
    draft = _Draft(rng, [(n,)] + [()] * parameters)
    state = 0
    while draft.count < draft.inputs + size:
        left, right = draft.take(state, 0, n - 1), draft.take(state, 1, n - 1)
        flux = draft.both(left, right)
        if parameters:
            flux = draft.both(flux, int(rng.integers(1, 1 + parameters)), VARIABLE)
        padded = draft.add((n,), (flux, window(n - 1, 0, 0)))
        other = draft.add((n,), (flux, window(n - 1, 1, 0)))
        rate = draft.both(padded, other, UNIT)
        if rng.random() < 0.5:
            rate = draft.both(draft.each(state, VARIABLE), rate)
        state = draft.both(state, rate, UNIT)
    ends = [state] if rng.random() < 0.6 else [draft.sum(draft.each(state, VARIABLE))]
    return draft.graph(ends, "steps")


def _residuals(rng: np.random.Generator, size: int) -> Graph:
    """Elements and pieces of a vector of unknowns, combined and put together into residuals."""
    n = int(rng.integers(3, 12))
    draft = _Draft(rng, [(n,)])
    few = [draft.add((), (0, element(k))) for k in rng.permutation(n)[: int(rng.integers(2, min(n, 5) + 1))].tolist()]
    rest = int(rng.integers(2, n + 1))
    many = [draft.take(0, 0, rest), draft.each(draft.take(0, n - rest, rest))]
    if rng.random() < 0.5:
        many.append(draft.add((rest,), (0, gathered(rng.integers(0, n, rest)))))
    while draft.count < 1 + size:
        kind = rng.random()
        if kind < 0.45:
            few.append(draft.both(draft.any_of(few), draft.any_of(few)))
        elif kind < 0.7:
            many.append(draft.both(draft.any_of(many), draft.any_of(few if rng.random() < 0.5 else many)))
        elif kind < 0.85:
            many.append(draft.each(draft.any_of(many)))
        else:
            few.append(draft.dot(draft.any_of(many), draft.any_of(many)))
    ends = [*few[-int(rng.integers(1, 4)) :], *many[-int(rng.integers(1, 3)) :]]
    return draft.graph([draft.join(ends)], "residuals")


def _arrays(rng: np.random.Generator, size: int) -> Graph:
    """Straight-line code over scalars, vectors of two lengths, and matrices between them."""
    n, m = (int(k) for k in rng.integers(2, 20, 2))
    shapes: list[Shape] = [(), (n,), (m,), (m, n)]
    draft = _Draft(rng, [shapes[int(rng.choice(4, p=(0.3, 0.35, 0.2, 0.15)))] for _ in range(int(rng.integers(2, 6)))])

    def pick(shape: Shape) -> int:
        fit = [v for v, have in enumerate(draft.shapes) if have == shape]
        if not fit:
            return draft.add(shape, (0, spread(shape, VARIABLE))) if draft.shapes[0] == () else -1
        recent = fit[-6:]
        return draft.any_of(recent if rng.random() < 0.75 else fit)

    while draft.count < draft.inputs + size:
        shape = shapes[int(rng.choice(4, p=(0.25, 0.4, 0.2, 0.15)))]
        kind, v, w = rng.random(), pick(shape), pick(shape)
        if v < 0:
            if () not in draft.shapes:
                draft.sum(0, VARIABLE)
            continue
        if kind < 0.35:
            draft.both(v, w)
        elif kind < 0.6:
            draft.each(v)
        elif kind < 0.75 and (s := pick(())) >= 0:
            draft.both(v, s)
        elif shape == (n,) and (a := pick((m, n))) >= 0 and n != m:
            draft.add((m,), (a, of_matrix(m, n)), (v, matrix(m, n)))
        elif len(shape) == 1 and kind < 0.9:
            draft.dot(v, w)
        elif shape:
            draft.sum(v, VARIABLE if rng.random() < 0.5 else UNIT)
    last = draft.count - 1
    others = rng.integers(draft.inputs, draft.count, int(rng.integers(0, 4))).tolist()
    return draft.graph([*others, last], "arrays")


BLOCK_FAMILIES: tuple[Callable[[np.random.Generator, int], Graph], ...] = (_networks, _steps, _residuals, _arrays)
"""What the agent for blocks trains on."""


def draw_block_graph(rng: np.random.Generator, size: int, family: int | None = None) -> Graph:
    """A graph of a family drawn at random.

    Args:
      rng: source of randomness.
      size: about so many operations.
      family: number of the family, counted round and round; None draws one.

    Returns:
      The graph; every operation is used or an output.
    """
    chosen = int(rng.integers(len(BLOCK_FAMILIES))) if family is None else family % len(BLOCK_FAMILIES)
    return BLOCK_FAMILIES[chosen](rng, size)
