"""The game on graphs of blocks against the reference elimination, and what is learnt on it."""

from __future__ import annotations

import dataclasses
import json
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elimax.agent import block_game, classes, game
from elimax.agent.block_families import BLOCK_FAMILIES, draw_block_graph
from elimax.agent.block_game import TOO_MUCH
from elimax.agent.boards import Setup, set_up, whole_order
from elimax.agent.features import PLAIN, view
from elimax.agent.network import Shape, judge, new_params
from elimax.agent.statics import STATIC
from elimax.agent.sweep import Sweep
from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination
from elimax.errors import GraphSizeError
from elimax.graph.check import check_graph
from tests.problems import block_like_problem

play = jax.jit(game.play)
eliminate = jax.jit(block_game.eliminate)
SIZE, CLASSES = 64, 128
PARAMS = new_params(jax.random.key(1), Shape(16, 2))
PARAMS["logit"]["w"] = PARAMS["logit"]["w"] * 100
PARAMS["embed"]["w"] = PARAMS["embed"]["w"].at[PLAIN:].set(0.3)
judged = jax.jit(lambda board, position: judge(PARAMS, view(board, position)))


def block_setup(seed: int, rule: str) -> Setup:
    """A closed board of a random program with arrays, the first that fits."""
    rng = np.random.default_rng(seed)
    while True:
        problem = Problem.from_graph(draw_block_graph(rng, int(rng.integers(8, 28))), rule)
        try:
            return set_up(problem, size=SIZE, classes=CLASSES, only_closed=True)
        except GraphSizeError:
            continue


def made_up_setup(seed: int) -> Setup:
    """A board over a made-up algebra, in which products may vanish."""
    return set_up(block_like_problem(seed, middle=20, degree=3), size=SIZE, classes=CLASSES)


def left_of(position):
    return np.flatnonzero(np.unpackbits(np.asarray(position.left).view(np.uint8), bitorder="little")).tolist()


@given(seed=st.integers(0, 10**6), rule=st.sampled_from(["published", "executed", "made up"]))
@settings(max_examples=5, deadline=None)
def test_games_cost_what_the_reference_says(seed, rule):
    """Each elimination's cost and edges, move by move, and the whole order."""
    setup = made_up_setup(seed) if rule == "made up" else block_setup(seed, rule)
    state, draw, moves = Elimination(setup.problem), random.Random(seed), []
    for v in setup.opening:
        state.eliminate(v)
    place = {v: k for k, v in enumerate(setup.labels)}
    position = game.start(setup.board)
    edges = jnp.asarray(setup.board.outs)
    waiting = left_of(position)
    for move in draw.sample(waiting, len(waiting)):
        edges, cost = eliminate(edges, jnp.int32(move), setup.board.is_output, setup.board.classes)
        assert int(cost) == state.eliminate(setup.labels[move])
        there = {(place[u], place[w]) for u, fan in enumerate(state.outs) for w in fan}
        assert set(zip(*(axis.tolist() for axis in np.nonzero(edges)), strict=True)) == there
    while left := left_of(position):
        moves.append(draw.choice(left))
        position = play(position, jnp.int32(moves[-1]), setup.board)
    order, cost = whole_order(setup, moves)
    assert cost == int(position.cost) + setup.opening_cost
    assert sorted(order) == list(setup.problem.eliminable)


def test_a_batch_plays_like_single_games():
    setups = [block_setup(seed, "executed") for seed in range(3)]
    boards = jax.tree.map(lambda *x: jnp.stack(x), *(setup.board for setup in setups))
    positions, ones = jax.jit(jax.vmap(game.start))(boards), [game.start(setup.board) for setup in setups]
    many = jax.jit(game.play_many)
    for v in random.Random(0).sample(range(SIZE), SIZE):
        positions = many(positions, jnp.full(3, v, jnp.int32), boards)
        ones = [play(one, jnp.int32(v), setup.board) for one, setup in zip(ones, setups, strict=True)]
    for k, one in enumerate(ones):
        assert bool(game.is_over(one))
        for a, b in zip(one, positions, strict=True):
            np.testing.assert_array_equal(a, b[k])


def test_a_structure_that_the_table_lacks_is_noticed():
    """With a table for a few structures every game is exact or says that it is not."""
    exact = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        problem = Problem.from_graph(BLOCK_FAMILIES[seed % 4](rng, 12), "published")
        try:
            setup = set_up(problem, size=SIZE, classes=16)
        except GraphSizeError:
            continue
        position, moves = game.start(setup.board), []
        while left := left_of(position):
            moves.append(rng.choice(left))
            position = play(position, jnp.int32(moves[-1]), setup.board)
        exact.append(int(position.cost) < TOO_MUCH)
        if exact[-1]:
            assert whole_order(setup, moves)[1] == int(position.cost) + setup.opening_cost
        else:
            assert not setup.closed
    assert any(exact)
    assert not all(exact)


def test_costs_beyond_the_limit_are_noticed():
    setup = block_setup(0, "published")
    table = setup.board.classes
    assert table is not None
    board = setup.board._replace(classes=table._replace(costs=(table.costs > 0) * np.int32(2**30)))
    position = game.start(board)
    for v in left_of(position):
        position = play(position, jnp.int32(v), board)
    assert int(position.cost) == TOO_MUCH


def test_closed_tables_have_every_answer():
    """No order can ask for more, so one that asks for something new would show it."""
    closed = 0
    for seed in range(12):
        problem = Problem.from_graph(draw_block_graph(np.random.default_rng(seed), 14), "published")
        noting, all_of_it = classes.explore(problem, CLASSES)
        if not all_of_it:
            continue
        closed += 1
        known = dict(noting.products), dict(noting.sums)
        for number in range(8):
            state = Elimination(dataclasses.replace(problem, algebra=noting))
            for v in random.Random(number).sample(problem.eliminable, len(problem.eliminable)):
                state.eliminate(v)
        assert known == (noting.products, noting.sums)
    assert closed >= 3


@pytest.mark.parametrize("rule", ["published", "executed"])
def test_prices_in_the_features(rule):
    setup = block_setup(5, rule)
    state = Elimination(setup.problem)
    for v in setup.opening:
        state.eliminate(v)
    seen = view(setup.board, game.start(setup.board))
    for move in left_of(game.start(setup.board)):
        price = state.price(setup.labels[move]) / float(setup.board.unit)
        np.testing.assert_allclose(seen.vertices[move, STATIC + 3], np.log1p(price), rtol=1e-5)
    assert float(jnp.abs(seen.vertices[:, PLAIN:]).max()) > 0


@pytest.mark.parametrize("seed", range(4))
def test_the_policy_agrees_with_the_network_move_by_move(seed):
    setup = block_setup(seed, ("published", "executed")[seed % 2])
    sweep, position = Sweep(setup.problem, jax.tree.map(np.asarray, PARAMS)), game.start(setup.board)
    while not sweep.ended:
        here, logits = sweep.logits()
        left = left_of(position)
        assert [setup.labels[k] for k in left] == here.tolist()
        np.testing.assert_allclose(logits, judged(setup.board, position).logits[np.array(left)], rtol=1e-3, atol=1e-3)
        sweep.step(lambda logits: logits)
        position = play(position, jnp.int32(setup.labels.index(here[np.argmax(logits)])), setup.board)
        assert sweep.cost == int(position.cost) + setup.opening_cost


def test_numbers_of_vertices_and_padding_do_not_matter():
    setup = block_setup(3, "executed")
    board, order = setup.board, np.random.default_rng(0).permutation(SIZE)
    other = board._replace(
        outs=board.outs[order][:, order],
        left=np.asarray(game.repack(game.unpack(jnp.asarray(board.left))[order])),
        **{name: getattr(board, name)[order] for name in ("is_output", "static", "bound", "sized")},
    )
    larger = set_up(setup.problem, size=96, classes=256).board
    plain, moved, padded = (judged(b, game.start(b)) for b in (board, other, larger))
    np.testing.assert_allclose(plain.logits[order], moved.logits, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(plain.logits, padded.logits[:SIZE], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(plain.remaining, padded.remaining, rtol=1e-3)


@pytest.mark.parametrize("family", BLOCK_FAMILIES, ids=lambda family: family.__name__)
def test_families_make_graphs(family):
    for seed in range(4):
        graph = family(np.random.default_rng(seed), 30)
        check_graph(graph)
        assert not Problem.from_graph(graph).is_scalar
        sources = {edge.source for edge in graph.edges}
        assert all(v in sources for v in range(len(graph.inputs), graph.num_vertices) if v not in graph.outputs)


@pytest.mark.slow
def test_a_training_on_blocks_goes_on_bit_by_bit(tmp_path):
    pytest.importorskip("optax")
    from elimax.agent.config import Config
    from elimax.agent.training import Trainer

    chosen = Config(partials="blocks", games=8, graphs=4, refresh=2, smallest=6, largest=8, width=8, layers=1)
    chosen = dataclasses.replace(chosen, iterations=4, batch=32)
    whole = Trainer(chosen, None, None)
    whole.run()
    Trainer(chosen, None, tmp_path).run(until=3)
    second = Trainer(chosen, None, tmp_path)
    second.run()
    for a, b in zip(jax.tree.leaves(whole.learner), jax.tree.leaves(second.learner), strict=True):
        np.testing.assert_array_equal(a, b)
    assert json.loads((tmp_path / "orders.json").read_text()) == whole.orders()
