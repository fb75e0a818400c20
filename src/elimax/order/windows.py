"""Annealing of large graphs a window of the order at a time.

What comes before a window of consecutive vertices has been eliminated, what comes after has not. So the window is a
problem of its own, on its vertices and their neighbours, and a better order of the window makes the whole order better
by as much. Windows overlap, and sweep over the order again and again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from elimax.elimination.kernel import DONE, eliminate_all, jit, resume
from elimax.elimination.problem import Problem
from elimax.elimination.sparse import (
    NEXT_IN,
    NEXT_OUT,
    SOURCE,
    STRUCTURE,
    TARGET,
    Sparse,
    from_problem,
)
from elimax.order.walk import Annealer


@jit
def _edges_at(graph, vertices, inside, found):
    """Collect the edges that have an end in a window; returns their number, or minus the room that they need."""
    number = 0
    for v in vertices:
        e = graph.first_in[v]
        while e >= 0:
            if number < found.shape[0]:
                found[number, 0] = graph.edges[e, SOURCE]
                found[number, 1] = v
                found[number, 2] = graph.edges[e, STRUCTURE]
            number += 1
            e = graph.edges[e, NEXT_IN]
        e = graph.first_out[v]
        while e >= 0:
            w = graph.edges[e, TARGET]
            if not inside[w]:  # edges within the window have been found from their other end
                if number < found.shape[0]:
                    found[number, 0], found[number, 1], found[number, 2] = v, w, graph.edges[e, STRUCTURE]
                number += 1
            e = graph.edges[e, NEXT_OUT]
    return number if number <= found.shape[0] else -number


class Windows:
    """An order of a large graph that is improved window by window.

    Args:
      problem: the graph and the cost rule.
      order: where to start.
      seed: of the random numbers.

    Attributes:
      order: the order now.
      saved: by how much its cost has fallen.
      proposals: number of proposals made.
    """

    def __init__(self, problem: Problem, order: tuple[int, ...], seed: int):
        self._problem = problem
        self._seed = seed
        self._inside = np.zeros(problem.num_vertices, np.bool_)
        self._found = np.zeros((1024, 3), np.int64)
        self.order = list(order)
        self.saved = 0
        self.proposals = 0

    def sweep(self, size: int, first: int, steps: int, hot: float, cold: float) -> Iterator[None]:
        """Anneal windows from the beginning of the order to its end.

        Args:
          size: number of vertices in a window; the next one begins in its middle.
          first: size of the first window, so that windows of different sweeps overlap differently.
          steps: number of proposals per vertex.
          hot: temperature at the beginning of each window.
          cold: temperature at its end.

        Yields:
          Nothing, after each window.
        """
        graph, position, length = from_problem(self._problem), 0, first
        while position < len(self.order):
            window = self.order[position : position + length]
            if len(window) > 1:
                self.order[position : position + length] = self._anneal(graph, window, steps, hot, cold)
            yield
            done = max(1, length // 2)
            graph = self._eliminate(graph, self.order[position : position + done])
            position, length = position + done, size

    def _anneal(self, graph: Sparse, window: list[int], steps: int, hot: float, cold: float) -> list[int]:
        """A better order of a window."""
        problem, names = self._extract(graph, window)
        numbers = {v: number for number, v in enumerate(names)}
        self._seed += 1
        annealer = Annealer(problem, tuple(numbers[v] for v in window), self._seed)
        before = annealer.best_cost
        self.proposals += annealer.run(steps * len(window), hot, cold)
        self.saved += before - annealer.best_cost
        return [names[number] for number in annealer.best_order]

    def _extract(self, graph: Sparse, window: list[int]) -> tuple[Problem, list[int]]:
        """The window as a problem, and the vertex that each of its vertices stands for."""
        vertices = np.array(window, np.int64)
        self._inside[vertices] = True
        number = _edges_at(graph, vertices, self._inside, self._found)
        while number < 0:
            self._found = np.zeros((-2 * number, 3), np.int64)
            number = _edges_at(graph, vertices, self._inside, self._found)
        self._inside[vertices] = False
        edges = self._found[:number]
        # Sorted names keep the topological numbering. Vertices outside the window are never eliminated.
        names, ends = np.unique(np.concatenate([edges[:, 0], edges[:, 1], vertices]), return_inverse=True)
        sources, targets, inner = ends[:number], ends[number : 2 * number], ends[2 * number :]
        in_order = np.lexsort((sources, targets))
        is_output = self._problem.is_output[names]
        problem = Problem(
            num_vertices=names.size,
            inputs=(),
            outputs=tuple(np.flatnonzero(is_output).tolist()),
            sources=sources[in_order].astype(np.int32),
            targets=targets[in_order].astype(np.int32),
            structures=edges[in_order, 2].astype(np.int32),
            eliminable=tuple(np.sort(inner).tolist()),
            algebra=self._problem.algebra,
        )
        return problem, names.tolist()

    def _eliminate(self, graph: Sparse, vertices: list[int]) -> Sparse:
        """The graph after eliminating vertices."""
        order, request, tables = (
            np.array(vertices, np.int64),
            np.zeros(2, np.int64),
            self._problem.algebra.tables.arrays(),
        )
        status, position = eliminate_all(graph, tables, order, 0, request)
        while status != DONE:
            graph, tables = resume(self._problem, graph, int(status), request)
            status, position = eliminate_all(graph, tables, order, position, request)
        return graph
