from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from tests.problems import block_like_problem, published_graph, random_graph, random_problem

from elimax.elimination import lists, reference
from elimax.elimination.kernel import DONE, resume_tables
from elimax.elimination.reference import Elimination
from elimax.errors import OrderError
from elimax.order import search
from elimax.order.walk import Annealer, restart

BEST = {
    ("human_heart_dipole", "published"): 148,
    ("propane_combustion", "published"): 88,
    ("robot_arm_6dof", "published"): 221,
    ("roe_flux_1d", "published"): 295,
    ("random_g", "published"): 409,
    ("black_scholes_jacobian", "published"): 297,
    ("human_heart_dipole", "executed"): 48,
    ("propane_combustion", "executed"): 24,
    ("roe_flux_1d", "executed"): 184,
    ("random_g", "executed"): 276,
}


def walked(annealer: Annealer) -> int:
    """Cost of the order where the walk is now, priced from scratch."""
    walk = annealer._walk
    order = walk.vertices[np.argsort(walk.label[walk.vertices])]
    return reference.total(annealer._problem, order.tolist())


@pytest.mark.parametrize("rule", ["published", "executed"])
@pytest.mark.parametrize("seed", range(8))
def test_cost_is_kept_up_to_date(seed, rule):
    """Hot walks accept almost everything, so every way to move is taken."""
    problem = random_problem(seed, rule, middle=30, degree=3)
    annealer = Annealer(problem, problem.eliminable, seed)
    for temperature in (50.0, 5.0, 0.5):
        annealer.run(500, temperature, temperature)
        assert annealer._walk.totals[0] == walked(annealer)
        assert annealer.best_cost == reference.total(problem, annealer.best_order)


@pytest.mark.parametrize("seed", range(8))
def test_prices_are_those_of_the_reference(seed):
    """The price read off the original graph is the price after eliminating the vertices before."""
    problem = random_problem(seed, "executed", middle=25, degree=3)
    order = np.random.default_rng(seed).permutation(problem.eliminable)
    annealer, state = Annealer(problem, tuple(order.tolist()), seed), Elimination(problem)
    for v in order.tolist():
        assert annealer._walk.cost[v] == state.eliminate(v)


def test_other_algebras_fill_their_tables():
    """Structures of a made-up algebra depend on the order of additions; the cost reported is that of the order."""
    problem = block_like_problem(3, middle=15, degree=3)
    found = search(problem, "annealing", max_evaluations=2000, seed=1)
    assert found.multiplications == reference.total(problem, found.vertices)
    assert found.multiplications <= search(problem, "reverse").multiplications


def test_restart_resumes_where_something_was_missing():
    problem = block_like_problem(5, middle=15, degree=3)
    graph, scratch = lists.from_problem(problem), lists.new_scratch(problem)
    annealer = Annealer(problem, problem.eliminable, 0)
    again = Annealer(block_like_problem(5, middle=15, degree=3), problem.eliminable, 0)
    assert annealer.best_cost == again.best_cost
    order = np.array(problem.eliminable, np.int64)
    tables, position = block_like_problem(5).algebra.tables.arrays(), 0
    fresh = block_like_problem(5, middle=15, degree=3)
    for _ in range(10_000):
        status, position = restart(graph, tables, scratch, annealer._walk, order, position)
        if status == DONE:
            break
        tables = resume_tables(fresh, int(status), scratch.request)
    assert annealer._walk.totals[0] == again.best_cost


@pytest.mark.parametrize(("name", "rule"), BEST)
def test_best_known_counts(name, rule):
    found = search(published_graph(name), "annealing", rule, max_evaluations=250_000)
    assert found.multiplications <= BEST[name, rule]
    assert search(published_graph(name), found.vertices, rule).multiplications == found.multiplications


@pytest.mark.parametrize("order", ["annealing", "auto"])
def test_depends_on_the_seed_alone(order):
    graph = random_graph(2, middle=40, degree=3)
    runs = [search(graph, order, max_evaluations=3000, seed=seed).vertices for seed in (1, 2, 1)]
    assert runs[0] == runs[2]


def test_evaluations_are_counted():
    found = search(random_graph(2, middle=40, degree=3), "annealing", max_evaluations=1234)
    assert found.evaluations == 1234


def test_budget_ends_the_search():
    graph = random_graph(2, middle=60, degree=3)
    search(graph, "annealing", max_evaluations=10)  # compiled now
    assert search(graph, "annealing", budget=0.2).seconds < 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"restarts": 0}, "restarts should be an integer, one or more"),
        ({"hot": -1.0}, "0 < cold <= hot"),
        ({"hot": 1.0, "cold": 2.0}, "0 < cold <= hot"),
        ({"start": (1,)}, "the order names 1 that cannot be eliminated"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(OrderError, match=re.escape(message)):
        search(random_graph(0), "annealing", **options)


def test_start_is_not_lost():
    graph = random_graph(4, middle=30, degree=3)
    best = search(graph, "annealing", max_evaluations=20_000)
    again = search(graph, "annealing", max_evaluations=0, start=best.vertices)
    assert again.multiplications == best.multiplications


@pytest.mark.parametrize("seed", range(4))
def test_finds_the_optimum_of_small_graphs(seed):
    problem = random_problem(seed, "published", middle=6, outputs=2, degree=3)
    optimum = min(reference.total(problem, order) for order in itertools.permutations(problem.eliminable))
    assert search(problem, "annealing", max_evaluations=5000).multiplications == optimum
