from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from tests.problems import NAMES, block_like_problem, expected_counts, published_graph, random_problem

from elimax.cost.bounds import cut_bound, least_cost, vertex_bounds
from elimax.cost.cuts import vertex_cut
from elimax.cost.dominators import Separators
from elimax.cost.grouping import Grouping
from elimax.cost.joint import JointBounds
from elimax.elimination import reference
from elimax.elimination.algebra import ScalarAlgebra
from elimax.elimination.reference import Elimination


def cheapest(problem) -> int:
    """Cost of the cheapest order by enumeration."""
    return min(reference.total(problem, order) for order in itertools.permutations(problem.eliminable))


def brute_force_cut(edges, first, ends, size) -> int:
    """Size of a smallest set of vertices that every path from ``first`` to ``ends`` meets."""

    def separates(cut):
        seen, waiting = set(), [u for u in first if u not in cut]
        while waiting:
            u = waiting.pop()
            if u in ends:
                return False
            for w in edges[u]:
                if w not in cut and w not in seen:
                    seen.add(w)
                    waiting.append(w)
        return True

    for number in range(size + 1):
        if any(separates(set(cut)) for cut in itertools.combinations(range(size), number)):
            return number
    raise AssertionError("the set of all vertices separates")


@pytest.mark.parametrize("seed", range(60))
def test_cuts_agree_with_enumeration(seed):
    draw = random.Random(seed)
    size = 9
    edges = [sorted({w for w in range(u + 1, size) if draw.random() < 0.35}) for u in range(size)]
    first = sorted(draw.sample(range(4), 3))
    ends = frozenset(draw.sample(range(3, size), 3))
    known = brute_force_cut(edges, first, ends, size)
    assert vertex_cut(edges, first, ends, len(first)) == known
    assert Separators(edges, ends, range(size - 1, -1, -1)).cut(first) == known


@pytest.mark.parametrize("seed", range(20))
def test_cuts_from_dominators_are_those_from_paths(seed):
    draw = random.Random(seed)
    size = draw.randint(3, 40)
    edges = [[w for w in range(u + 1, size) if draw.random() < draw.choice([0.05, 0.1, 0.3])] for u in range(size)]
    ends = frozenset(draw.sample(range(size), 3))
    separators = Separators(edges, ends, range(size - 1, -1, -1))
    for following in edges:
        first = draw.sample(following, draw.randint(0, len(following)))
        assert separators.cut(first) == vertex_cut(edges, first, ends, len(first))


def test_a_path_pushes_another_back():
    """The first path found, 0-1-4-6, has to give up its middle for two paths to fit."""
    edges = [[1], [4, 3], [4], [5], [6], [7], [], []]
    assert vertex_cut(edges, [1, 2], frozenset({6, 7}), 2) == 2


@pytest.mark.parametrize("name", NAMES)
def test_published_bounds(name):
    expected = expected_counts(name)["published"].get("lower_bound")
    if expected is not None:
        assert vertex_bounds_sum(name, "published") == expected
    for rule, counts in expected_counts(name).items():
        assert vertex_bounds_sum(name, rule) <= counts["best_known"]


def vertex_bounds_sum(name, rule) -> int:
    from elimax.elimination.problem import Problem

    return cut_bound(Problem.from_graph(published_graph(name), rule))


@pytest.mark.parametrize("rule", ["published", "executed"])
@pytest.mark.parametrize("seed", range(25))
def test_bounds_hold(seed, rule):
    problem = random_problem(seed, rule, middle=6, outputs=2, degree=3)
    optimum = cheapest(problem)
    bounds = vertex_bounds(problem)
    joint = JointBounds(problem)
    assert bounds == {v: joint.bound((v,)) for v in problem.eliminable}
    assert cut_bound(problem) <= optimum
    whole = joint.bound(problem.eliminable)
    assert whole <= optimum
    if rule == "published":
        assert whole == optimum


@pytest.mark.parametrize("rule", ["published", "executed"])
@pytest.mark.parametrize("seed", range(10))
def test_no_vertex_is_cheaper_than_its_bound(seed, rule):
    problem = random_problem(seed, rule, middle=20, degree=3)
    bounds = vertex_bounds(problem)
    draw = random.Random(seed)
    for _ in range(10):
        state = Elimination(problem)
        for v in draw.sample(problem.eliminable, len(problem.eliminable)):
            assert state.eliminate(v) >= bounds[v]


@pytest.mark.parametrize("rule", ["published", "executed"])
@pytest.mark.parametrize("seed", range(15))
def test_larger_groups_bound_better(seed, rule):
    problem = random_problem(seed, rule, middle=7, outputs=2, degree=3)
    grouping, optimum = Grouping(problem), cheapest(problem)
    last = cut_bound(problem)
    for bound in grouping.improve(lambda: optimum):
        assert last <= bound <= optimum
        last = bound
    assert sorted(v for group in grouping.groups for v in group) == list(problem.eliminable)
    assert grouping.bound == last


def test_group_costs_more_than_its_members():
    """Of two vertices that each want the other first, one has to give in."""
    problem = random_problem(1, "published", middle=12, degree=3)
    joint, found = JointBounds(problem), 0
    for pair in itertools.combinations(problem.eliminable, 2):
        alone = joint.bound(pair[:1]) + joint.bound(pair[1:])
        assert joint.bound(pair) >= alone
        found += joint.bound(pair) > alone
        if not joint.related(*pair):
            assert joint.bound(pair) == alone
    assert found


def test_blocks_have_no_bound():
    assert cut_bound(block_like_problem(0)) == 0


def test_least_cost_counts_pairs():
    algebra = ScalarAlgebra("executed")
    for constants_in, variables_in, constants_out, variables_out in np.ndindex(3, 3, 3, 3):
        ins, outs = [1] * constants_in + [2] * variables_in, [1] * constants_out + [2] * variables_out
        cost = sum(algebra.product(left, right)[1] for left in outs for right in ins)
        assert cost == least_cost(len(ins), variables_in, len(outs), variables_out)
