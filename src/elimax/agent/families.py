"""Random graphs to train on, shaped like programs: expressions, recurrences, layers, stencils, small solvers.

They are made directly as graphs. Nothing here is a problem of the zoo or a published task: these are kept for
evaluation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from elimax.graph.types import Edge, Graph, Vertex
from elimax.structure.term import Kind, scalar


class _Draft:
    """A graph in the making; every vertex is added after its sources."""

    def __init__(self, rng: np.random.Generator, inputs: int):
        self.rng, self.inputs, self.count = rng, inputs, inputs
        self.edges: dict[tuple[int, int], Kind] = {}
        self.used: set[int] = set()

    def add(self, *sources: int, linear: bool = False) -> int:
        """An operation on values: sums and differences have unit partials, products and functions variable ones."""
        v = self.count
        self.count += 1
        for u in sources:
            kind = Kind.UNIT if linear else Kind.CONSTANT if self.rng.random() < 0.08 else Kind.VARIABLE
            self.edges[u, v] = Kind.CONSTANT if (u, v) in self.edges else kind
            self.used.add(u)
        return v

    def mixed(self, *sources: int) -> int:
        """An operation of either kind."""
        return self.add(*sources, linear=bool(self.rng.random() < 0.45))

    def total(self, values: list[int]) -> int:
        """A sum, term by term."""
        result = values[0]
        for value in values[1:]:
            result = self.add(result, value, linear=True)
        return result

    def graph(self, outputs: list[int], name: str) -> Graph:
        unused = [v for v in range(self.inputs, self.count) if v not in self.used and v not in outputs]
        ends = tuple(dict.fromkeys([*outputs, *unused]))
        edges = [Edge(u, v, scalar(kind)) for (u, v), kind in self.edges.items()]
        edges.sort(key=lambda edge: (edge.target, edge.source))
        return Graph((Vertex(),) * self.count, tuple(range(self.inputs)), ends, tuple(edges), name)


def _expressions(rng: np.random.Generator, size: int) -> Graph:
    """Straight-line code in which recent values are used more often."""
    draft = _Draft(rng, int(rng.integers(2, 16)))
    memory, binary = rng.integers(4, 25), rng.uniform(0.4, 0.8)
    while draft.count < draft.inputs + size:
        recent = range(max(0, draft.count - int(memory)), draft.count)
        pick = [int(rng.choice(recent)) if rng.random() < 0.75 else int(rng.integers(draft.count)) for _ in range(2)]
        draft.mixed(*pick) if rng.random() < binary else draft.add(pick[0])
    outputs = rng.choice(np.arange(draft.inputs, draft.count), int(rng.integers(1, 9))).tolist()
    return draft.graph([*outputs, draft.count - 1], "expressions")


def _chains(rng: np.random.Generator, size: int) -> Graph:
    """Rotations one after the other, as in the kinematics of a chain of joints."""
    draft = _Draft(rng, int(rng.integers(3, 8)))
    state = [int(rng.integers(draft.inputs)) for _ in range(int(rng.integers(2, 5)))]
    while draft.count < draft.inputs + size:
        angle = int(rng.integers(draft.inputs))
        sine, cosine = draft.add(angle), draft.add(angle)
        a, b = rng.choice(len(state), 2, replace=False)
        x, y = state[a], state[b]
        state[a] = draft.add(draft.add(x, cosine), draft.add(y, sine), linear=True)
        state[b] = draft.add(draft.add(x, sine), draft.add(y, cosine), linear=True)
    return draft.graph(state, "chains")


def _balances(rng: np.random.Generator, size: int) -> Graph:
    """Rates from products of few unknowns, summed into balances: kinetics, equilibria, polynomial systems."""
    draft = _Draft(rng, int(rng.integers(4, 12)))
    rates: list[int] = []
    while draft.count < draft.inputs + 0.7 * size:
        factors = [int(v) for v in rng.choice(draft.inputs, int(rng.integers(1, 4)))]
        rate = draft.add(factors[0])
        for factor in factors[1:]:
            rate = draft.add(rate, factor)
        if rates and rng.random() < 0.25:
            rate = draft.mixed(rate, int(rng.choice(rates)))
        rates.append(rate)
    outputs = []
    while draft.count < draft.inputs + size or not outputs:
        terms = rng.choice(rates, min(len(rates), int(rng.integers(2, 5))), replace=False)
        outputs.append(draft.total([int(v) for v in terms]))
    return draft.graph(outputs, "balances")


def _layers(rng: np.random.Generator, size: int) -> Graph:
    """Values mixed layer by layer: small networks, flux formulas from averages and jumps."""
    width = int(rng.integers(2, 7))
    draft = _Draft(rng, int(rng.integers(width, 2 * width + 1)))
    values = list(range(draft.inputs))
    while draft.count < draft.inputs + size:
        new = []
        for _ in range(int(rng.integers(2, width + 2))):
            pick = [int(v) for v in rng.choice(values, min(len(values), int(rng.integers(2, 4))), replace=False)]
            new.append(
                draft.add(draft.total(pick)) if rng.random() < 0.5 else draft.total([draft.add(v) for v in pick])
            )
        values = new if rng.random() < 0.7 else new + [int(v) for v in rng.choice(values, 2)]
    return draft.graph([*values[-width:]], "layers")


def _stencils(rng: np.random.Generator, size: int) -> Graph:
    """Steps in time of neighbours on a line, with a shared parameter."""
    points = int(rng.integers(3, 9))
    draft = _Draft(rng, points + int(rng.integers(0, 3)))
    state = list(range(points))
    while draft.count < draft.inputs + size:
        flux = [draft.mixed(state[k], state[k + 1]) for k in range(points - 1)]
        if draft.inputs > points:
            flux = [draft.add(f, points) for f in flux]
        state = [
            draft.total([state[k], *flux[max(0, k - 1) : k + 1]]) if rng.random() < 0.9 else draft.add(state[k])
            for k in range(points)
        ]
    return draft.graph(state, "stencils")


def _derivatives(rng: np.random.Generator, size: int) -> Graph:
    """A program followed by its own reverse sweep: second derivatives."""
    draft = _Draft(rng, int(rng.integers(2, 7)))
    tape: list[tuple[int, int, tuple[int, ...]]] = []
    half = draft.inputs + size // 3
    while draft.count < half:
        recent = range(max(0, draft.count - 10), draft.count)
        sources = tuple(dict.fromkeys(int(v) for v in rng.choice(recent, int(rng.integers(1, 3)))))
        partial = draft.add(*sources)
        tape.append((draft.add(*sources), partial, sources))
    adjoint: dict[int, int] = {tape[-1][0]: tape[-1][1]}
    for value, partial, sources in reversed(tape):
        if value in adjoint and draft.count < draft.inputs + 2 * size:
            for u in sources:
                term = draft.add(adjoint[value], partial)
                adjoint[u] = draft.add(adjoint[u], term, linear=True) if u in adjoint else term
    return draft.graph([adjoint[v] for v in range(draft.inputs) if v in adjoint], "derivatives")


FAMILIES: tuple[Callable[[np.random.Generator, int], Graph], ...] = (
    _expressions,
    _chains,
    _balances,
    _layers,
    _stencils,
    _derivatives,
)
"""What the agent trains on."""


def draw_graph(rng: np.random.Generator, size: int) -> Graph:
    """A graph of a family drawn at random.

    Args:
      rng: source of randomness.
      size: about so many operations.

    Returns:
      The graph; every operation is used or an output.
    """
    return FAMILIES[int(rng.integers(len(FAMILIES)))](rng, size)
