"""From a jaxpr to the linearised computational graph.

The graph is first built in full: a vertex per active value, and two flat vertices around every opaque operation. Dead
parts are dropped, and vertices that only rename or reshape a value are *folded*, that is eliminated at once and for
free, as published counts do. What remains is the `Graph` that orders are searched for.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from elimax._jax import Equation, Program, inline
from elimax._jax.program import Placeholder
from elimax.graph.types import Edge, Graph, Vertex
from elimax.partials.indexing import unit_term
from elimax.partials.opaque import Opaque
from elimax.partials.regions import has_complex, is_holomorphic, merge_complex_regions
from elimax.partials.registry import partials_of
from elimax.partials.types import CONTROL, Context, Local
from elimax.structure.algebra import product
from elimax.structure.algebra import sum as add_structures
from elimax.structure.recipes import Collect
from elimax.structure.sums import collect
from elimax.structure.term import Affine, Operator, Structure, Term

FOLDED = frozenset(["convert_element_type", "copy", "copy_p", "reshape", "squeeze", "expand_dims", "transpose"])
"""Primitives that only rename, reshape or convert one value."""

MAX_KNOWN = 1 << 24
"""Index arrays with more elements than this are not computed at trace time."""

_NOT_KNOWN = frozenset(
    ["while", "scan", "cond", "pure_callback", "io_callback", "custom_vjp_call", "custom_jvp_call", "complex_region"]
)


@dataclasses.dataclass(frozen=True, slots=True)
class Contribution:
    """Where the values of one edge come from.

    Attributes:
      collect: adds up the terms of all sources; None for an operator edge.
      sources: ``(step, edge of that step's local rule)``; for the unit edges around flat vertices the step is None.
      terms: the terms of all sources, one after another.
    """

    collect: Collect | None
    sources: tuple[tuple[int | None, int], ...]
    terms: tuple[Term, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Linearisation:
    """A program with its graph and everything needed to compute the values of the edges.

    Attributes:
      program: the flat program.
      steps: per equation that must run, the equation and its local partials (None if inactive or dead).
      structures: structure of every edge of the full graph by ``(source, target)``.
      contributions: origin of their values.
      folds: vertices of the full graph that are eliminated first, in this order.
      dtypes: dtype of every vertex of the full graph.
      graph: the graph after folding.
      full_vertices: vertex of the full graph for each vertex of ``graph``.
      inputs: full vertex of each differentiated argument.
      outputs: full vertex of each result, or None where it depends on no argument.
    """

    program: Program
    steps: tuple[tuple[Equation, Local | Opaque | None], ...]
    structures: dict[tuple[int, int], Structure]
    contributions: dict[tuple[int, int], Contribution]
    folds: tuple[int, ...]
    dtypes: tuple[Any, ...]
    graph: Graph
    full_vertices: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int | None, ...]

    @property
    def opaque_operations(self) -> list[str]:
        """Names of the operations that JAX itself differentiates."""
        return [equation.name for equation, local in self.steps if isinstance(local, Opaque)]

    @property
    def coarse_operations(self) -> list[str]:
        """Names of the loops and branches that carry their own partials."""
        return [e.name for e, local in self.steps if isinstance(local, Local) and local.family == CONTROL]


def linearise(
    closed: Any,
    active: list[bool],
    name: str = "",
    num_differentiated: int | None = None,
    rewrite: Callable[[Program], Program] | None = None,
) -> Linearisation:
    """Build the graph of a closed jaxpr.

    Args:
      closed: the jaxpr.
      active: for each argument, whether it is an independent variable.
      name: of the function, for people.
      num_differentiated: how many of the results, from the first on, are dependent variables (all by default).
      rewrite: applied to a program without complex numbers before it is differentiated.
    """
    program = inline(closed, active)
    if has_complex(program):
        program = inline(closed, active, expand=False)
        if not is_holomorphic(program):
            program = merge_complex_regions(program)
    elif rewrite is not None:
        program = rewrite(program)
    return linearise_program(program, name, num_differentiated)


def linearise_program(program: Program, name: str = "", num_differentiated: int | None = None) -> Linearisation:
    """Build the graph of a flat program.

    Args:
      program: the program; its complex regions are single equations.
      name: of the function, for people.
      num_differentiated: how many of the results, from the first on, are dependent variables (all by default).
    """
    num_differentiated = len(program.outputs) if num_differentiated is None else num_differentiated
    return _Builder(program, num_differentiated).build(name)


class Knowledge:
    """Values that follow from literals and captured concrete arrays, computed on demand."""

    def __init__(self, program: Program):
        self._program = program
        self._producer = {r.value: e for e in program.equations for r in e.outputs}
        self._memo: dict[int, np.ndarray | None] = {}

    def __call__(self, value: int) -> np.ndarray | None:
        """The value of a number, or None if it is known at run time only."""
        if value not in self._memo:
            self._memo[value] = self._compute(value)
        return self._memo[value]

    def _compute(self, value: int) -> np.ndarray | None:
        constants = self._program.constants
        if value in constants:
            constant = constants[value]
            if isinstance(constant, Placeholder | Tracer):
                return None
            try:
                return np.asarray(constant)
            except TypeError:  # random keys and other extended dtypes have no NumPy form
                return None
        equation = self._producer.get(value)
        if equation is None or equation.effects or equation.name in _NOT_KNOWN or "random" in equation.name:
            return None
        if math.prod(self._program.values[value].shape) > MAX_KNOWN:
            return None
        operands = [self(r.value) for r in equation.inputs]
        if any(o is None for o in operands):
            return None
        with jax.ensure_compile_time_eval():
            results = equation.call(*operands)
        for ref, result in zip(equation.outputs, results, strict=True):
            self._memo[ref.value] = np.asarray(result)
        return self._memo[value]


class _Builder:
    def __init__(self, program: Program, num_differentiated: int):
        self.program = program
        self.outputs = program.outputs[:num_differentiated]
        self.context = Context(program, Knowledge(program))
        self.vertices: list[Vertex] = []
        self.dtypes: list[Any] = []
        self.number: dict[int, int] = {}  # full vertex of each program vertex
        self.parts: dict[tuple[int, int], list[tuple[int | None, int, Structure]]] = {}
        self.foldable: list[int] = []

    def build(self, name: str) -> Linearisation:
        program = self.program
        for position, ref in enumerate(program.inputs):
            if ref.vertex is not None:
                self.number[ref.vertex] = self._vertex(
                    self.context.shape(ref.value), self.context.dtype(ref.value), f"argument {position}"
                )
        inputs = tuple(self.number[r.vertex] for r in program.inputs if r.vertex is not None)
        needed, live = self._liveness()
        steps: list[tuple[Equation, Local | Opaque | None]] = []
        for equation in program.equations:
            is_live = equation.active and any(r.vertex in live for r in equation.outputs if r.vertex is not None)
            local = partials_of(equation, self.context) if is_live else None
            if local is None and equation.linear and equation.active:
                continue
            if local is None and not equation.effects and not any(r.value in needed for r in equation.outputs):
                continue
            steps.append((equation, local))
            if local is not None:
                self._add(len(steps) - 1, equation, local, live)
        structures, contributions = self._join_parts()
        outputs = tuple(self.number.get(r.vertex) if r.vertex is not None else None for r in self.outputs)
        structures = _pruned(structures, inputs, outputs)
        remaining = dict(structures)
        folds = _fold(remaining, self.foldable, inputs, outputs)
        graph, full = self._graph(remaining, inputs, outputs, name)
        return Linearisation(
            program,
            tuple(steps),
            structures,
            {e: contributions[e] for e in structures},
            tuple(folds),
            tuple(self.dtypes),
            graph,
            full,
            inputs,
            outputs,
        )

    def _vertex(self, shape: tuple[int, ...], dtype: Any, name: str) -> int:
        self.vertices.append(Vertex(tuple(shape), str(dtype), name))
        self.dtypes.append(dtype)
        return len(self.vertices) - 1

    def _liveness(self) -> tuple[set[int], set[int]]:
        """Values that have to be computed, and program vertices from which an output can be reached."""
        live = {r.vertex for r in self.outputs if r.vertex is not None}
        needed = {r.value for r in self.program.outputs}
        for equation in reversed(self.program.equations):
            reaches = equation.active and any(r.vertex in live for r in equation.outputs if r.vertex is not None)
            if reaches:
                live |= {r.vertex for r in equation.inputs if r.vertex is not None}
            if reaches or equation.effects or any(r.value in needed for r in equation.outputs):
                needed |= {r.value for r in equation.inputs}
        return needed, live

    def _add(self, step: int, equation: Equation, local: Local | Opaque, live: set[int]) -> None:
        if isinstance(local, Opaque):
            self._add_opaque(step, equation, local)
            return
        for position, ref in enumerate(equation.outputs):
            if ref.vertex is not None and any(edge.output == position for edge in local.edges):
                vertex = self._vertex(self.context.shape(ref.value), self.context.dtype(ref.value), equation.name)
                self.number[ref.vertex] = vertex
                if equation.name in FOLDED:
                    self.foldable.append(vertex)
        for k, edge in enumerate(local.edges):
            source = self._source(equation, edge.operand)
            target = self.number[equation.outputs[edge.output].vertex]  # type: ignore[index]
            if source is not None and edge.structure:
                self.parts.setdefault((source, target), []).append((step, k, edge.structure))

    def _source(self, equation: Equation, operand: int) -> int | None:
        vertex = equation.inputs[operand].vertex
        return None if vertex is None else self.number.get(vertex)

    def _add_opaque(self, step: int, equation: Equation, local: Opaque) -> None:
        flat_in = self._vertex((local.operator.in_size,), local.in_dtype, f"{equation.name} operands")
        start = 0
        for k in local.operands:
            shape = self.context.shape(equation.inputs[k].value)
            source = self._source(equation, k)
            if source is not None:
                self.parts.setdefault((source, flat_in), []).append((None, 0, (flat_term(shape, start, True),)))
            start += math.prod(shape)
        flat_out = self._vertex((local.operator.out_size,), local.out_dtype, f"{equation.name} results")
        self.parts[(flat_in, flat_out)] = [(step, 0, local.operator)]
        start = 0
        for k in local.outputs:
            ref = equation.outputs[k]
            shape = self.context.shape(ref.value)
            vertex = self._vertex(shape, self.context.dtype(ref.value), equation.name)
            self.number[ref.vertex] = vertex  # type: ignore[index]
            self.foldable.append(vertex)
            self.parts[(flat_out, vertex)] = [(None, 0, (flat_term(shape, start, False),))]
            start += math.prod(shape)

    def _join_parts(self) -> tuple[dict[tuple[int, int], Structure], dict[tuple[int, int], Contribution]]:
        structures: dict[tuple[int, int], Structure] = {}
        contributions: dict[tuple[int, int], Contribution] = {}
        for key, parts in self.parts.items():
            sources = tuple((step, edge) for step, edge, _ in parts)
            if isinstance(parts[0][2], Operator):
                structures[key] = parts[0][2]
                contributions[key] = Contribution(None, sources, ())
                continue
            terms = tuple(term for _, _, structure in parts for term in structure)  # type: ignore[union-attr]
            recipe = collect(terms)
            structures[key] = recipe.structure
            contributions[key] = Contribution(recipe, sources, terms)
        return structures, contributions

    def _graph(
        self,
        edges: dict[tuple[int, int], Structure],
        inputs: tuple[int, ...],
        outputs: tuple[int | None, ...],
        name: str,
    ) -> tuple[Graph, tuple[int, ...]]:
        kept = sorted({*inputs, *(v for v in outputs if v is not None), *(v for pair in edges for v in pair)})
        new = {v: k for k, v in enumerate(kept)}
        graph_edges = tuple(
            Edge(new[source], new[target], structure)
            for (source, target), structure in sorted(edges.items(), key=lambda item: (item[0][1], item[0][0]))
        )
        graph = Graph(
            tuple(self.vertices[v] for v in kept),
            tuple(new[v] for v in inputs),
            tuple(dict.fromkeys(new[v] for v in outputs if v is not None)),
            graph_edges,
            name,
        )
        return graph, tuple(kept)


def flat_term(shape: tuple[int, ...], start: int, gathers: bool) -> Term:
    """The unit term between an array and its place in a flat vector; ``gathers`` if the vector is the result."""
    parts = []
    place = math.prod(shape)
    for k, size in enumerate(shape):
        place //= size
        parts.append((k, place))
    axes = [Affine(0, ((k, 1),)) for k in range(len(shape))]
    flat = [Affine(start, tuple(parts))]
    sizes = dict(enumerate(shape))
    return unit_term(sizes, flat, axes) if gathers else unit_term(sizes, axes, flat)


def _pruned(
    edges: dict[tuple[int, int], Structure], inputs: tuple[int, ...], outputs: tuple[int | None, ...]
) -> dict[tuple[int, int], Structure]:
    """Edges on a path from an input to an output."""
    reached = set(inputs)
    for source, target in sorted(edges):
        if source in reached:
            reached.add(target)
    reaching = {v for v in outputs if v is not None}
    for source, target in sorted(edges, key=lambda edge: (-edge[1], -edge[0])):
        if target in reaching:
            reaching.add(source)
    return {e: s for e, s in edges.items() if e[0] in reached and e[1] in reaching and s}


def _fold(
    edges: dict[tuple[int, int], Structure],
    candidates: list[int],
    inputs: tuple[int, ...],
    outputs: tuple[int | None, ...],
) -> list[int]:
    """Eliminate vertices that only rename one value, in place; returns them in order."""
    fixed = {*inputs, *(v for v in outputs if v is not None)}
    into: dict[int, list[int]] = {}
    out_of: dict[int, list[int]] = {}
    for source, target in edges:
        into.setdefault(target, []).append(source)
        out_of.setdefault(source, []).append(target)
    folds = []
    for v in sorted(candidates):
        sources = into.get(v, [])
        if v in fixed or len(sources) != 1:
            continue
        (u,) = sources
        left_structure = edges[(u, v)]
        targets = out_of.get(v, [])
        if isinstance(left_structure, Operator) or any(isinstance(edges[(v, w)], Operator) for w in targets):
            continue
        folds.append(v)
        for w in targets:
            structure = product(edges[(v, w)], left_structure).structure
            if (u, w) in edges:
                structure = add_structures(edges[(u, w)], structure)
            elif structure:
                into[w].append(u)
                out_of[u].append(w)
            if structure:
                edges[(u, w)] = structure
            into[w].remove(v)
            del edges[(v, w)]
        out_of[u].remove(v)
        del edges[(u, v)]
        out_of.pop(v, None)
    return folds
