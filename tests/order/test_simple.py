from __future__ import annotations

import re

import numpy as np
import pytest
from tests.problems import (
    NAMES,
    TINY,
    block_like_problem,
    expected_counts,
    published_graph,
    random_graph,
    random_problem,
)

from elimax.elimination import reference
from elimax.elimination.greedy import greedy
from elimax.elimination.problem import Problem
from elimax.errors import OrderError
from elimax.graph.json import loads
from elimax.order import Order, names, register, registry, search
from elimax.order.markowitz import reachable_pairs

HIGHEST = {
    "human_heart_dipole": 148,
    "propane_combustion": 88,
    "robot_arm_6dof": 221,
    "roe_flux_1d": 344,
    "random_g": 444,
}


@pytest.mark.parametrize("name", NAMES)
def test_expected_counts(name):
    graph = published_graph(name)
    for rule, expected in expected_counts(name).items():
        counts = {order: search(graph, order, rule).multiplications for order in ("forward", "reverse", "markowitz")}
        assert counts == {order: expected[order] for order in counts}


@pytest.mark.parametrize("name", HIGHEST)
def test_ties_to_the_highest(name):
    assert search(published_graph(name), "markowitz", "published", ties="highest").multiplications == HIGHEST[name]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("options", [{}, {"ties": "highest"}, {"ties": "random"}, {"relative": True}, {"lookahead": 4}])
def test_markowitz_returns_an_order(seed, options):
    graph = random_graph(seed, middle=20, degree=3)
    for cost in ("published", "executed"):
        found = search(graph, "markowitz", cost, seed=seed, **options)
        again = search(graph, found.vertices, cost)
        assert again.multiplications == found.multiplications


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("make", [random_problem, block_like_problem])
def test_compiled_greedy_agrees(seed, make):
    problem = make(seed, middle=40, degree=3)
    order = search(problem, "markowitz")
    rank, bias = np.arange(problem.num_vertices), np.zeros(problem.num_vertices, np.int64)
    assert greedy(make(seed, middle=40, degree=3), rank, bias) == (order.vertices, order.multiplications)
    relative = search(problem, "markowitz", relative=True, ties="highest")
    found = greedy(problem, rank[::-1].copy(), reachable_pairs(problem))
    assert found == (relative.vertices, relative.multiplications)


@pytest.mark.parametrize("seed", range(5))
def test_greedy_takes_the_cheapest_vertex(seed):
    problem = random_problem(seed, "published", middle=25, degree=3)
    state, waiting = reference.Elimination(problem), set(problem.eliminable)
    for v in search(problem, "markowitz").vertices:
        assert (state.price(v), v) == min((state.price(u), u) for u in waiting)
        state.eliminate(v)
        waiting.remove(v)


def test_random_ties_follow_the_seed():
    graph = random_graph(1, middle=40, degree=3)
    orders = {search(graph, "markowitz", ties="random", seed=seed).vertices for seed in (1, 2, 3, 1)}
    assert len(orders) == 3


def test_reachable_pairs_by_hand():
    graph = loads(
        '{"num_vertices": 5, "inputs": [0, 1], "outputs": [3, 4], "edges": '
        '[[0, 2, "unit"], [1, 2, "unit"], [2, 3, "unit"], [1, 4, "unit"]]}'
    )
    assert reachable_pairs(Problem.from_graph(graph)).tolist() == [1, 2, 2, 2, 1]


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("order", names())
def test_tiny_graphs(name, order):
    graph, expected = loads(TINY[name][0]), TINY[name][1]
    for cost, multiplications in expected.items():
        found = search(graph, order, cost)
        assert found.multiplications == search(graph, found.vertices, cost).multiplications == multiplications


def test_given_order():
    graph = random_graph(0)
    reverse = search(graph, "reverse")
    for sequence in (reverse.vertices, list(reverse.vertices), np.array(reverse.vertices), iter(reverse.vertices)):
        found = search(graph, sequence)
        assert found.method == "given"
        assert found.multiplications == reverse.multiplications


BAD_ORDERS = [
    (lambda v: v[1:], r"misses {first}; add"),
    (lambda v: (*v, v[0]), r"repeats {first}; name each vertex once"),
    (lambda v: (*v, 10**6), r"names 1000000 that cannot be eliminated"),
    (lambda v: (*v[1:], 0), r"names 0 that cannot be eliminated here; leave them out; it misses {first}; add"),
    (lambda v: (*v[1:], 1.5), "sequence of vertex numbers"),
    (lambda v: (*v[1:], "x"), "sequence of vertex numbers"),
    (lambda v: 3, "sequence of vertex numbers"),
    (lambda v: None, "sequence of vertex numbers"),
]


@pytest.mark.parametrize(("change", "message"), BAD_ORDERS)
def test_bad_sequences(change, message):
    graph = random_graph(0)
    with pytest.raises(OrderError, match=message.format(first=graph.eliminable[0])):
        search(graph, change(graph.eliminable))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": "fastest"}, "unknown order 'fastest'; expected one of 'auto', 'forward'"),
        ({"cost": "cheap"}, "unknown cost 'cheap'; expected one of 'published'"),
        ({"budget": -1}, "budget should be a number of seconds"),
        ({"budget": float("nan")}, "budget should be a number of seconds"),
        ({"budget": "1"}, "budget should be a number of seconds"),
        ({"max_evaluations": -1}, "max_evaluations should be an integer"),
        ({"max_evaluations": 1.5}, "max_evaluations should be an integer"),
        ({"seed": -1}, "seed should be an integer"),
        ({"order": "reverse", "ties": "lowest"}, "order 'reverse' has no option 'ties'; it takes no options"),
        ({"order": "markowitz", "tie": "lowest"}, "no option 'tie'; it takes 'ties', 'relative', 'lookahead'"),
        ({"order": "markowitz", "ties": "middle"}, "ties should be one of 'lowest', 'highest', 'random'"),
        ({"order": "markowitz", "lookahead": -1}, "lookahead should be an integer"),
        ({"order": [], "ties": "lowest"}, "takes no options"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(OrderError, match=re.escape(message)):
        search(random_graph(0), **arguments)


def test_searches_can_be_registered(monkeypatch):
    monkeypatch.setattr(registry, "_SEARCHES", dict(registry._SEARCHES))
    register("backwards", lambda problem, limits, seed: Order(problem.eliminable[::-1], 0, "backwards"))
    assert "backwards" in names()
    assert search(random_graph(0), "backwards").method == "backwards"


@pytest.mark.parametrize("seed", range(10))
def test_auto_is_never_worse_than_the_simple_orders(seed):
    graph = random_graph(seed, middle=30, degree=3)
    for cost in ("published", "executed"):
        simple = [search(graph, order, cost).multiplications for order in ("forward", "reverse", "markowitz")]
        found = search(graph, "auto", cost, max_evaluations=2000)
        assert found.multiplications <= min(simple)
        assert search(graph, found.vertices, cost).multiplications == found.multiplications
