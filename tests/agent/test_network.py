"""The features and the network: indifferent to numbering and padding."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elimax.agent import game
from elimax.agent.boards import Board, set_up
from elimax.agent.features import WIDTH, symexp, symlog, view
from elimax.agent.network import Shape, judge, new_params, num_weights, shape_of
from elimax.agent.statics import STATIC
from elimax.elimination.reference import Elimination
from tests.problems import random_problem

PARAMS = new_params(jax.random.key(0), Shape(16, 2))
judged = jax.jit(lambda board, position: judge(PARAMS, view(board, position)))


def permuted(board: Board, order: np.ndarray) -> Board:
    """The board with vertex ``order[k]`` called k."""
    planes = np.asarray(game.unpack(jnp.asarray(board.outs)))[:, order][:, :, order]
    left = np.asarray(game.unpack(jnp.asarray(board.left)))[order]
    from elimax.agent.boards import pack

    return board._replace(
        outs=pack(planes),
        left=pack(left),
        is_output=board.is_output[order],
        static=board.static[order],
        bound=board.bound[order],
    )


@pytest.mark.parametrize("rule", ["published", "executed"])
@pytest.mark.parametrize("seed", range(3))
def test_numbers_of_vertices_do_not_matter(seed, rule):
    board = set_up(random_problem(seed, rule, middle=22, degree=3), size=64).board
    order = np.random.default_rng(seed).permutation(64)
    plain, other = judged(board, game.start(board)), judged(permuted(board, order), game.start(permuted(board, order)))
    np.testing.assert_allclose(plain.logits[order], other.logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(plain.remaining, other.remaining, rtol=1e-4)


@pytest.mark.parametrize("rule", ["published", "executed"])
def test_padding_does_not_matter(rule):
    problem = random_problem(4, rule, middle=15, degree=3)
    small, large = set_up(problem, size=32).board, set_up(problem, size=96).board
    a, b = judged(small, game.start(small)), judged(large, game.start(large))
    np.testing.assert_allclose(a.logits, b.logits[:32], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(a.remaining, b.remaining, rtol=1e-4)


def test_only_vertices_that_are_left_get_a_chance():
    board = set_up(random_problem(4, "published", middle=15, degree=3), size=32).board
    position = game.start(board)
    left = np.asarray(game.unpack(position.left))
    probability = np.asarray(jax.nn.softmax(judged(board, position).logits))
    assert (probability[~left] == 0).all()
    assert (probability[left] > 0).all()


@pytest.mark.parametrize("rule", ["published", "executed"])
@pytest.mark.parametrize("seed", range(4))
def test_features_by_the_reference(seed, rule):
    """Cost, fill and growth of every vertex, by eliminating it for real."""
    problem = random_problem(seed, rule, middle=18, degree=3)
    setup = set_up(problem, size=32)
    seen = view(setup.board, game.start(setup.board))
    first = STATIC

    def reduced():
        state = Elimination(problem)
        for v in setup.opening:
            state.eliminate(v)
        return state

    def count(state):
        return sum(map(len, state.outs))

    waiting = [v for v in problem.eliminable if v not in setup.opening]
    for k, v in enumerate(setup.labels):
        if v not in waiting or v in problem.outputs:
            continue
        before, after = reduced(), reduced()
        cost = after.eliminate(v)
        np.testing.assert_allclose(seen.vertices[k, first + 3], np.log1p(cost), rtol=1e-5)
        np.testing.assert_allclose(symexp(seen.vertices[k, first + 5] * 2), count(after) - count(before), atol=1e-3)
        if rule == "published":
            growth = sum(after.price(u) - before.price(u) for u in waiting if u != v)
            np.testing.assert_allclose(symexp(seen.vertices[k, first + 6] * 2), growth, atol=1e-2)


def test_the_end_of_a_game_has_no_cost_left():
    setup = set_up(random_problem(2, "published", middle=10, degree=2), size=32)
    position = game.start(setup.board)._replace(left=jnp.zeros(1, jnp.uint32))
    assert float(judged(setup.board, position).remaining) == 0.0


def test_symlog():
    x = jnp.array([-100.0, -1.0, 0.0, 0.5, 1e4], jnp.float32)
    np.testing.assert_allclose(symexp(symlog(x)), x, rtol=1e-4)


def test_shapes():
    assert shape_of(PARAMS) == Shape(16, 2)
    assert PARAMS["embed"]["w"].shape[0] == WIDTH
    assert num_weights(PARAMS) == sum(np.asarray(leaf).size for leaf in jax.tree.leaves(PARAMS))
