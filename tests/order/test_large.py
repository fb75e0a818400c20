from __future__ import annotations

import pytest
from tests.problems import block_like_problem, random_problem

import elimax.order.annealing as annealing
from elimax.elimination import kernel, reference
from elimax.elimination.problem import Problem
from elimax.graph.types import Edge, Graph, Vertex
from elimax.order import search
from elimax.order.windows import Windows
from elimax.structure.term import Kind, scalar


def ring(steps: int, species: int = 4) -> Graph:
    """Steps of a ring of reactions: every new value depends on three old ones through products."""
    edges: list[Edge] = []
    state, count = list(range(species)), species

    def apply(*sources: tuple[int, Kind]) -> int:
        nonlocal count
        edges.extend(Edge(source, count, scalar(kind)) for source, kind in sorted(sources))
        count += 1
        return count - 1

    for _ in range(steps):
        rates = [apply((state[i], Kind.VARIABLE), (state[(i + 1) % species], Kind.VARIABLE)) for i in range(species)]
        change = [apply((rates[i - 1], Kind.UNIT), (rates[i], Kind.CONSTANT)) for i in range(species)]
        state = [apply((state[i], Kind.UNIT), (change[i], Kind.CONSTANT)) for i in range(species)]
    return Graph((Vertex(),) * count, tuple(range(species)), tuple(state), tuple(edges), "ring")


@pytest.mark.parametrize("rule", ["published", "executed"])
@pytest.mark.parametrize("seed", range(4))
def test_windows_save_what_they_say(seed, rule):
    """A better order of a window makes the whole order better by as much."""
    problem = random_problem(seed, rule, middle=60, degree=3)
    windows = Windows(problem, problem.eliminable, seed)
    before = reference.total(problem, problem.eliminable)
    for size, first in ((20, 7), (12, 12)):
        for _ in windows.sweep(size, first, 30, 3.0, 0.2):
            pass
        assert reference.total(problem, windows.order) == before - windows.saved
    assert sorted(windows.order) == list(problem.eliminable)
    assert windows.saved > 0


def test_windows_of_other_algebras():
    problem = block_like_problem(2, middle=40, degree=3)
    windows = Windows(problem, problem.eliminable, 1)
    for _ in windows.sweep(16, 8, 5, 50.0, 5.0):
        pass
    assert sorted(windows.order) == list(problem.eliminable)


def test_large_graphs_are_annealed_in_windows(monkeypatch):
    monkeypatch.setattr(annealing, "WHOLE", 100)
    graph = ring(30)
    problem = Problem.from_graph(graph)
    simple = min(search(problem, order).multiplications for order in ("forward", "reverse", "markowitz"))
    found = search(problem, "annealing", max_evaluations=60_000, seed=3)
    assert found.multiplications < simple
    assert found.multiplications == kernel.total(problem, found.vertices)
    again = search(problem, "annealing", max_evaluations=60_000, seed=3)
    assert again.vertices == found.vertices


def test_auto_on_a_large_graph():
    """Compiled passes, greedy orders that are given up when they cost too much, windows, and no bounds."""
    graph = ring(450)
    simple = [search(graph, order, budget=0).multiplications for order in ("forward", "reverse", "markowitz")]
    found = search(graph, "auto", max_evaluations=100_000)
    assert found.multiplications < min(simple)
    assert search(graph, found.vertices).multiplications == found.multiplications
    assert not found.optimal


@pytest.mark.parametrize(("size", "lookahead"), [(450, 0), (20, 0), (20, 8)])
def test_greedy_gives_up_at_a_ceiling(size, lookahead):
    from elimax.order.markowitz import greedy_order

    problem = Problem.from_graph(ring(size))
    whole = greedy_order(problem, lookahead=lookahead)
    assert whole is not None
    assert greedy_order(problem, lookahead=lookahead, ceiling=whole.multiplications) == whole
    assert greedy_order(problem, lookahead=lookahead, ceiling=whole.multiplications - 1) is None
