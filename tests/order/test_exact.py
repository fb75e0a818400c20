from __future__ import annotations

import numpy as np
import pytest
from tests.order.exhaustive import optimum
from tests.problems import block_like_problem, published_graph, random_graph, random_problem

from elimax.cost.bounds import vertex_bounds
from elimax.cost.grouping import Grouping
from elimax.cost.pattern import pattern
from elimax.cost.refining import refine
from elimax.elimination import kernel, reference, sets
from elimax.elimination.reference import Elimination
from elimax.errors import OrderError
from elimax.graph.types import Edge, Graph, Vertex
from elimax.order import bounding, dominance, search
from elimax.order.best_first import BestFirst
from elimax.order.progress import Progress
from elimax.structure.term import Kind, scalar

SIZES = (
    {"middle": 6, "outputs": 2, "degree": 3},
    {"middle": 5, "inputs": 2, "degree": 2},
    {"middle": 7, "inputs": 2, "outputs": 2, "degree": 2},
    {"middle": 7, "inputs": 1, "outputs": 1, "degree": 3},
)


def check_optimal(problem, found, cost):
    assert (found.multiplications, found.lower_bound, found.optimal) == (cost, cost, True)
    assert found.multiplications == reference.total(problem, found.vertices)
    assert sorted(found.vertices) == list(problem.eliminable)


@pytest.mark.parametrize("rule", ["published", "executed"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_equals_exhaustive_enumeration(sizes, rule):
    for seed in range(40):
        problem = random_problem(seed, rule, **sizes)
        check_optimal(problem, search(problem, "exact", budget=60), optimum(problem))


@pytest.mark.parametrize("rule", ["published", "executed"])
def test_equals_exhaustive_enumeration_on_larger_graphs(rule):
    for seed in range(3):
        problem = random_problem(seed, rule, middle=10, degree=3)
        check_optimal(problem, search(problem, "exact", budget=60), optimum(problem))


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["published", "executed"])
def test_equals_exhaustive_enumeration_on_many_graphs(rule):
    for seed in range(100, 400):
        problem = random_problem(seed, rule, **SIZES[seed % len(SIZES)])
        check_optimal(problem, search(problem, "exact", budget=60), optimum(problem))
    for seed in range(6):
        problem = random_problem(seed, rule, middle=13, degree=2)
        check_optimal(problem, search(problem, "exact", budget=60), optimum(problem))


@pytest.mark.parametrize("seed", range(12))
def test_blocks_equal_exhaustive_enumeration(seed):
    problem = block_like_problem(seed, middle=5, outputs=2, degree=3)
    check_optimal(problem, search(problem, "exact", budget=60), optimum(problem))


@pytest.mark.parametrize("rule", ["published", "executed"])
def test_best_first_alone_finds_the_optimum(rule):
    for seed in range(40):
        problem = random_problem(seed, rule, **SIZES[seed % len(SIZES)])
        grouping = Grouping(problem)
        tables = pattern(grouping.joint, grouping.groups, problem.num_vertices)
        cost = optimum(problem)
        found = BestFirst(problem, tables, cost + 1, 1 << 26)
        while found.run(50):
            assert found.bound <= cost
        assert found.best_cost == found.bound == cost
        order = found.best_order()
        assert order is not None
        assert reference.total(problem, order) == cost


@pytest.mark.parametrize("rule", ["published", "executed"])
@pytest.mark.parametrize("seed", range(10))
def test_prices_after_a_set(seed, rule):
    problem = random_problem(seed, rule, middle=70, degree=3)
    graph, draw = sets.from_problem(problem), np.random.default_rng(seed)
    eliminated = draw.permutation(problem.eliminable)[: draw.integers(0, 60)].tolist()
    words, state = np.zeros(graph.ins.shape[2], np.uint64), Elimination(problem)
    for v in eliminated:
        words[v >> 6] |= np.uint64(1 << (v & 63))
        state.eliminate(v)
    rest = [v for v in problem.eliminable if v not in set(eliminated)]
    assert _prices(graph, words, np.array(rest)).tolist() == [state.price(v) for v in rest]


@kernel.jit
def _prices(graph, words, vertices):
    sets.reduce(graph, words)
    found = np.zeros(vertices.size, np.int64)
    for k in range(vertices.size):
        found[k] = sets.price(graph, vertices[k])
    return found


@kernel.jit
def _settled(graph, words, is_eliminable, least, vertices):
    sets.reduce(graph, words)
    found = np.zeros(vertices.size, np.bool_)
    for k in range(vertices.size):
        found[k] = dominance.settled(graph, words, is_eliminable, least, vertices[k])
    return found


@pytest.mark.parametrize("rule", ["published", "executed"])
def test_settled_vertices_lose_nothing(rule):
    told = 0
    for seed in range(60):
        problem = random_problem(seed, rule, **SIZES[seed % len(SIZES)])
        graph, cost = sets.from_problem(problem), optimum(problem)
        is_eliminable, least = np.zeros(problem.num_vertices, np.bool_), np.zeros(problem.num_vertices, np.int64)
        for v, bound in vertex_bounds(problem).items():
            is_eliminable[v], least[v] = True, bound
        words = np.zeros(graph.ins.shape[2], np.uint64)
        settled = _settled(graph, words, is_eliminable, least, graph.vertices)
        for v in np.array(problem.eliminable)[settled].tolist():
            assert optimum(_after(problem, v)) + Elimination(problem).price(v) == cost
            told += 1
    assert told > 50


def _after(problem, v):
    """The problem that is left after eliminating a vertex."""
    import dataclasses

    state = Elimination(problem)
    state.eliminate(v)
    edges = sorted((w, u, kind) for w, ins in enumerate(state.ins) for u, kind in ins.items())
    targets, sources, kinds = (np.array(column, np.int32) for column in zip(*edges, strict=True))
    left = tuple(w for w in problem.eliminable if w != v)
    return dataclasses.replace(problem, sources=sources, targets=targets, structures=kinds, eliminable=left)


@pytest.mark.parametrize("rule", ["published", "executed"])
def test_refined_groups_bound_the_optimum(rule):
    raised = 0
    for seed in range(60):
        problem = random_problem(seed, rule, middle=7, degree=3, outputs=2)
        state, grouping = Elimination(problem), Grouping(problem)
        costs = {v: state.eliminate(v) for v in problem.eliminable}
        before, cost = grouping.bound, optimum(problem)
        bounds = [before, *refine(problem, grouping, lambda costs=costs: costs)]
        assert bounds == sorted(bounds)
        assert bounds[-1] == grouping.bound <= cost
        assert sorted(v for group in grouping.groups for v in group) == list(problem.eliminable)
        raised += bounds[-1] > before
    assert raised > 10


@pytest.mark.parametrize(
    ("name", "cost"), [("robot_arm_6dof", 221), ("human_heart_dipole", 148), ("propane_combustion", 88)]
)
def test_proves_published_graphs_optimal(name, cost):
    found = search(published_graph(name), "exact", "published", budget=30)
    assert (found.multiplications, found.lower_bound, found.optimal) == (cost, cost, True)


def test_proves_roe_flux_optimal():
    found = search(published_graph("roe_flux_1d"), "exact", "published", max_evaluations=3_000_000)
    assert (found.multiplications, found.lower_bound, found.optimal, found.method) == (295, 295, True, "exact")


def test_depends_on_the_work_alone():
    problem = random_problem(5, middle=60, degree=3)
    first, second = (search(problem, "exact", max_evaluations=20_000, seed=3) for _ in range(2))
    assert first.vertices == second.vertices
    assert (first.lower_bound, first.evaluations) == (second.lower_bound, second.evaluations)
    assert first.lower_bound <= first.multiplications == reference.total(problem, first.vertices)


def test_ends_when_the_memory_is_used_up():
    problem = random_problem(5, middle=60, degree=3)
    found = search(problem, "exact", budget=20, memory=1)
    assert found.seconds < 18
    assert found.lower_bound <= found.multiplications


@pytest.mark.parametrize("make", [random_problem, block_like_problem])
def test_an_interrupt_returns_the_best_so_far(make, monkeypatch):
    from elimax.order import exact as exact_module

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(exact_module, "by_sets", interrupted)
    monkeypatch.setattr(exact_module, "exact_blocks", interrupted)
    problem = make(5, middle=40, degree=3)
    found = search(problem, "exact", max_evaluations=30_000)
    assert not found.optimal
    assert found.lower_bound <= found.multiplications == reference.total(problem, found.vertices)


def test_blocks_stop_in_time_with_what_is_proved():
    problem = block_like_problem(3, middle=14, degree=3)
    found = search(problem, "exact", max_evaluations=300)
    assert found.evaluations <= 310
    assert 0 <= found.lower_bound <= found.multiplications == reference.total(problem, found.vertices)


def test_a_watcher_can_stop_the_search():
    progress = Progress()
    progress.stopped.set()
    found = search(random_graph(3, middle=60, degree=3), "exact", budget=60, progress=progress)
    assert found.seconds < 30


def test_nothing_to_eliminate():
    graph = Graph((Vertex(),) * 2, (0,), (1,), (Edge(0, 1, scalar(Kind.VARIABLE)),))
    found = search(graph, "exact")
    assert (found.vertices, found.multiplications, found.optimal) == ((), 0, True)


def test_the_portfolio_searches_sets_once_the_groups_are_done(monkeypatch):
    monkeypatch.setattr(bounding, "refine", lambda *args: iter(()))
    found = search(random_graph(2, middle=14, degree=3), "auto", max_evaluations=200_000)
    assert found.optimal


@pytest.mark.parametrize("memory", [0, -1, True, "much", float("nan"), float("inf")])
def test_memory_is_checked(memory):
    with pytest.raises(OrderError, match="memory should be a positive number of bytes"):
        search(random_graph(1), "exact", memory=memory)


def test_large_graphs_are_refused():
    with pytest.raises(OrderError, match="at most 1024 vertices, this one has 11"):
        search(random_graph(1, middle=1100), "exact", budget=1)
