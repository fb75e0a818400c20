"""The bit-packed game against the reference elimination."""

from __future__ import annotations

import dataclasses
import functools
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elimax.agent import game
from elimax.agent.boards import SIZES, pack, padded, set_up, whole_order
from elimax.elimination import reference
from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination
from elimax.errors import GraphSizeError, OrderError
from elimax.graph.json import loads
from elimax.order import search
from tests.problems import random_graph, random_problem

play = jax.jit(game.play)
eliminate = jax.jit(game.eliminate)
RULES = ("published", "executed")


def bits(words):
    return np.asarray(game.unpack(jnp.asarray(words)))


def play_at_random(setup, seed):
    draw, position, moves = random.Random(seed), game.start(setup.board), []
    while not bool(game.is_over(position)):
        moves.append(draw.choice(np.flatnonzero(bits(position.left)).tolist()))
        position = play(position, jnp.int32(moves[-1]), setup.board)
    return moves, position


@given(seed=st.integers(0, 10**6), degree=st.integers(1, 5), rule=st.sampled_from(RULES))
@settings(max_examples=30)
def test_games_cost_what_the_reference_says(seed, degree, rule):
    setup = set_up(random_problem(seed, rule, middle=24, degree=degree), size=64)
    moves, position = play_at_random(setup, seed)
    order, cost = whole_order(setup, moves)
    assert cost == int(position.cost) + setup.opening_cost == reference.total(setup.problem, order)
    assert sorted(order) == list(setup.problem.eliminable)


@given(seed=st.integers(0, 10**6), rule=st.sampled_from(RULES))
@settings(max_examples=20)
def test_edges_after_each_elimination(seed, rule):
    """Every edge and its class, after every single elimination, without forced moves."""
    problem = random_problem(seed, rule, middle=20, degree=4)
    state, planes = Elimination(problem), np.zeros((1 if rule == "published" else 3, 32, 32), bool)
    for u, v, kind in zip(problem.sources, problem.targets, problem.structures, strict=True):
        planes[0 if rule == "published" else kind, u, v] = True
    outs, is_output = pack(planes), np.zeros(32, bool)
    is_output[list(problem.outputs)] = True
    for v in random.Random(seed).sample(problem.eliminable, len(problem.eliminable)):
        outs, cost = eliminate(outs, jnp.int32(v), is_output)
        assert int(cost) == state.eliminate(v)
        expected = np.zeros_like(planes)
        for source, fan in enumerate(state.outs):
            for target, kind in fan.items():
                expected[0 if rule == "published" else kind, source, target] = True
        np.testing.assert_array_equal(bits(outs), expected)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(3))
def test_a_batch_plays_like_single_games(seed, rule):
    setups = [set_up(random_problem(seed + k, rule, middle=18, degree=3), size=32) for k in range(3)]
    boards = jax.tree.map(lambda *x: jnp.stack(x), *(setup.board for setup in setups))
    many = jax.jit(game.play_many)
    positions, ones = jax.jit(jax.vmap(game.start))(boards), [game.start(setup.board) for setup in setups]
    for v in random.Random(seed).sample(range(32), 32):
        positions = many(positions, jnp.full(3, v, jnp.int32), boards)
        ones = [play(one, jnp.int32(v), setup.board) for one, setup in zip(ones, setups, strict=True)]
        for k, one in enumerate(ones):
            for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(positions), strict=True):
                np.testing.assert_array_equal(a, b[k])
    assert all(bool(game.is_over(one)) for one in ones)


def _cheapest(problem):
    """The least cost over all orders, by going over sets."""

    @functools.cache
    def least(done):
        state = Elimination(problem)
        for v in done:
            state.eliminate(v)
        rest = [v for v in problem.eliminable if v not in done]
        return min((state.price(v) + least(tuple(sorted((*done, v)))) for v in rest), default=0)

    return least(())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(12))
def test_forced_moves_lose_nothing(seed, rule):
    """The cheapest order of the whole graph costs what forced moves and the cheapest order of the rest cost."""
    problem = random_problem(seed, rule, inputs=2, middle=8, outputs=2, degree=2)
    setup = set_up(problem)
    state = Elimination(problem)
    for v in setup.opening:
        state.eliminate(v)
    rest = [v for v in problem.eliminable if v not in setup.opening]
    edges = sorted((t, s, k) for s, fan in enumerate(state.outs) for t, k in fan.items())
    targets, sources, kinds = np.array(edges, np.int32).reshape(-1, 3).T
    reduced = dataclasses.replace(problem, sources=sources, targets=targets, structures=kinds, eliminable=tuple(rest))
    assert len(rest) == setup.most_moves
    assert _cheapest(problem) == setup.opening_cost + _cheapest(reduced)


def test_an_output_with_one_edge_each_way_is_not_forced():
    """It keeps its in-edge, so its source pays for one more target afterwards."""
    graph = loads(
        '{"num_vertices": 5, "inputs": [0], "outputs": [3, 4], "edges": [[0, 1, "variable"], [1, 2, "variable"],'
        ' [2, 3, "variable"], [3, 4, "variable"]]}'
    )
    setup = set_up(Problem.from_graph(graph, "published"))
    assert 3 not in setup.opening
    assert {1, 2} <= set(setup.opening)


def test_illegal_moves_change_nothing():
    setup = set_up(random_problem(1, "published", degree=3))
    position = jax.jit(game.settle)(game.start(setup.board), setup.board)
    same = play(position, jnp.int32(0), setup.board)
    assert all(bool((a == b).all()) for a, b in zip(position, same, strict=True))


@pytest.mark.parametrize("size", [32, 64, 96])
def test_padding_changes_nothing(size):
    problem = random_problem(3, "executed", middle=15, degree=3)
    setup = set_up(problem, size=size)
    moves, position = play_at_random(setup, 5)
    assert int(position.cost) == whole_order(set_up(problem), moves)[1] - setup.opening_cost


def test_recorded_games_are_checked():
    setup = set_up(random_problem(1, "published", degree=3))
    moves, _ = play_at_random(setup, 0)
    for bad in (moves[:-1], [moves[0], *moves], [10**6, *moves], [-1]):
        with pytest.raises(OrderError, match="recorded game"):
            whole_order(setup, bad)


def test_sizes():
    assert padded(1) == SIZES[0]
    assert padded(SIZES[-1]) == SIZES[-1]
    with pytest.raises(GraphSizeError, match="at most 1,024 vertices, this graph has 1,025"):
        padded(1025)
    with pytest.raises(GraphSizeError, match="board of 8 vertices"):
        set_up(random_problem(1, degree=4, middle=30), size=8)


@pytest.mark.slow
def test_the_bounds_of_a_board_hold():
    for seed in range(5):
        graph = random_graph(seed, middle=20, degree=3)
        for rule in RULES:
            setup = set_up(Problem.from_graph(graph, rule))
            cost = search(graph, "auto", rule, max_evaluations=500).multiplications
            assert setup.opening_cost + setup.board.bound.sum() <= cost
