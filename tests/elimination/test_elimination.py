from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from tests.problems import NAMES, block_like_problem, expected_counts, published_graph, random_problem

from elimax.elimination import kernel, reference
from elimax.elimination.algebra import BlockAlgebra, ScalarAlgebra
from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination
from elimax.graph.json import loads
from elimax.structure.term import Affine, Kind, Term, scalar


def test_one_vertex_by_hand():
    """x, y -> v -> p, q; v and p were joined before by x -> p."""
    graph = loads(
        '{"num_vertices": 5, "inputs": [0, 1], "outputs": [3, 4], "edges": '
        '[[0, 2, "unit"], [1, 2, "constant"], [0, 3, "unit"], [2, 3, "variable"], [2, 4, "constant"]]}'
    )
    state = Elimination(Problem.from_graph(graph, "executed"))
    assert state.price(2) == 1  # only constant times variable has to be multiplied out
    assert state.eliminate(2) == 1
    assert state.ins[3] == {0: Kind.VARIABLE, 1: Kind.VARIABLE}
    assert state.ins[4] == {0: Kind.CONSTANT, 1: Kind.CONSTANT}
    assert not state.ins[2]
    assert not state.outs[2]
    assert reference.total(Problem.from_graph(graph, "published"), [2]) == 4


def test_output_keeps_its_in_edges():
    graph = loads(
        '{"num_vertices": 3, "inputs": [0], "outputs": [1, 2], "edges": [[0, 1, "variable"], [1, 2, "variable"]]}'
    )
    problem = Problem.from_graph(graph)
    assert problem.eliminable == (1,)
    state = Elimination(problem)
    assert state.eliminate(1) == 1
    assert state.outs[0] == {1: Kind.VARIABLE, 2: Kind.VARIABLE}


@pytest.mark.parametrize("name", NAMES)
def test_expected_counts(name):
    for rule, expected in expected_counts(name).items():
        problem = Problem.from_graph(published_graph(name), rule)
        ascending, descending = problem.eliminable, problem.eliminable[::-1]
        for order, count in ((ascending, expected["forward"]), (descending, expected["reverse"])):
            assert reference.total(problem, order) == count
            assert kernel.total(problem, order) == count


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("rule", ["published", "executed"])
def test_compiled_agrees_on_scalar_graphs(seed, rule):
    problem = random_problem(seed, rule, middle=40, degree=3)
    order = list(problem.eliminable)
    random.Random(seed).shuffle(order)
    assert kernel.total(problem, order) == reference.total(problem, order)


@pytest.mark.parametrize("seed", range(30))
def test_compiled_agrees_on_other_algebras(seed):
    """Products that vanish, sums that fall into other structures, tables that fill up as elimination goes on."""
    order = list(random_problem(seed, middle=40, degree=3).eliminable)
    random.Random(seed).shuffle(order)
    compiled = kernel.total(block_like_problem(seed, middle=40, degree=3), order)
    assert compiled == reference.total(block_like_problem(seed, middle=40, degree=3), order)


def test_compiled_graph_grows():
    """Every pair of 40 inputs and 40 outputs is joined through one vertex: far more edges than at the beginning."""
    edges = [[k, 40, "variable"] for k in range(40)] + [[40, 41, "variable"]]
    edges += [[41, 42 + k, "variable"] for k in range(40)]
    text = f'{{"num_vertices": 82, "inputs": {list(range(40))}, "outputs": {list(range(42, 82))}, "edges": {edges}}}'
    problem = Problem.from_graph(loads(text.replace("'", '"')), "published")
    assert kernel.total(problem, [40, 41]) == 40 + 1600
    assert kernel.total(problem, [41, 40]) == 40 + 1600


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("rule", ["published", "executed"])
def test_the_set_decides_the_graph(seed, rule):
    """The edges left after eliminating a set do not depend on the order in which it was eliminated."""
    problem = random_problem(seed, rule, middle=12, degree=3)
    chosen = random.Random(seed).sample(problem.eliminable, 4)
    results = []
    for order in itertools.permutations(chosen):
        state = Elimination(problem)
        for v in order:
            state.eliminate(v)
        results.append(state.ins)
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("seed", range(10))
def test_price_is_what_elimination_costs(seed):
    problem = block_like_problem(seed, middle=15)
    state = Elimination(problem)
    for v in problem.eliminable:
        assert state.price(v) == state.eliminate(v)


def test_scalar_rules():
    published, executed = ScalarAlgebra("published"), ScalarAlgebra("executed")
    for left, right in itertools.product(Kind, Kind):
        assert published.product(left, right) == (max(left, right), 1)
        free = Kind.UNIT in (left, right) or left == right == Kind.CONSTANT
        assert executed.product(left, right) == (max(left, right), 0 if free else 1)
        assert executed.sum(left, right) == (Kind.VARIABLE if Kind.VARIABLE in (left, right) else Kind.CONSTANT)


def test_block_algebra_agrees_with_scalar_algebra():
    for rule in ("published", "executed"):
        scalars, blocks = ScalarAlgebra(rule), BlockAlgebra(rule)
        for left, right in itertools.product(Kind, Kind):
            numbers = blocks.number(scalar(left)), blocks.number(scalar(right))
            number, cost = blocks.product(*numbers)
            assert (blocks.structure(number), cost) == (
                scalar(Kind(scalars.product(left, right)[0])),
                scalars.product(left, right)[1],
            )


def test_block_products_vanish():
    """The first half of a vector read from a vector whose second half alone was written."""
    written = Term((2,), (Affine(2, ((0, 1),)),), (Affine(0, ((0, 1),)),), (), Kind.UNIT)
    read = Term((2,), (Affine(0, ((0, 1),)),), (Affine(0, ((0, 1),)),), (), Kind.UNIT)
    algebra = BlockAlgebra("published")
    assert algebra.product(algebra.number((read,)), algebra.number((written,)))[0] == -1


def test_unknown_rule():
    with pytest.raises(ValueError, match="'published', 'executed'"):
        ScalarAlgebra("best")


def test_tables_grow():
    algebra = BlockAlgebra("published")
    rng = np.random.default_rng(0)
    known = {}
    for left, right in rng.integers(0, 10**6, (500, 2)).tolist():
        algebra.tables.add_product(left, right, left ^ right, left)
        known[left, right] = left ^ right
    arrays = algebra.tables.arrays()
    for (left, right), number in known.items():
        slot = kernel.find(arrays.product_keys, left, right)
        assert arrays.product_ids[slot] == number
    assert kernel.find(arrays.product_keys, 10**6 + 1, 3) == -1
