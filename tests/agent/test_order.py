"""``order="agent"``: the policy in numpy agrees with the network, and every result is an order."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from elimax.agent import game, order, weights
from elimax.agent.boards import set_up
from elimax.agent.families import FAMILIES, draw_graph
from elimax.agent.features import DYNAMIC, GLOBAL, WIDTH, view
from elimax.agent.network import Shape, judge, new_params
from elimax.agent.sweep import GLOBAL as SWEPT_GLOBAL
from elimax.agent.sweep import WIDTH as SWEPT
from elimax.agent.sweep import Sweep
from elimax.elimination import reference
from elimax.elimination.problem import Problem
from elimax.errors import CheckpointError, GraphSizeError, OrderError
from elimax.graph.check import check_graph
from elimax.order import search
from elimax.plan.make import make_plan
from elimax.plan.store import from_json, to_json
from tests.problems import block_like_problem, random_graph, random_problem

SIMPLE = ("forward", "reverse", "markowitz")
PARAMS = new_params(jax.random.key(1), Shape(16, 2))
PARAMS["logit"]["w"] = PARAMS["logit"]["w"] * 100
WEIGHTS = jax.tree.map(np.asarray, PARAMS)
judged = jax.jit(lambda board, position: judge(PARAMS, view(board, position)).logits)
play = jax.jit(game.play)


@pytest.mark.parametrize("rule", ["published", "executed"])
@pytest.mark.parametrize("seed", range(3))
def test_the_policy_agrees_with_the_network_move_by_move(seed, rule):
    problem = random_problem(seed, rule, middle=24, degree=3)
    setup = set_up(problem, size=64, bounds=False)
    sweep, position = Sweep(problem, WEIGHTS), game.start(setup.board)
    while not sweep.ended:
        here, logits = sweep.logits()
        left = np.asarray(game.unpack(position.left))
        assert [setup.labels[k] for k in np.flatnonzero(left)] == here.tolist()
        np.testing.assert_allclose(logits, judged(setup.board, position)[left], rtol=1e-4, atol=1e-4)
        sweep.step(lambda logits: logits)
        move = setup.labels.index(here[np.argmax(logits)])
        position = play(position, jnp.int32(move), setup.board)
        assert sweep.cost == int(position.cost) + setup.opening_cost
    assert (SWEPT, SWEPT_GLOBAL) == (WIDTH, GLOBAL)
    assert DYNAMIC == 9


@pytest.mark.parametrize("make", [random_problem, block_like_problem])
@pytest.mark.parametrize("seed", range(6))
def test_every_result_is_an_order(seed, make):
    problem = make(seed, middle=30, degree=3)
    for passes in (1, 4):
        found = search(problem, "agent", max_evaluations=passes, seed=seed)
        order = [vertex for vertex in found.vertices if isinstance(vertex, int)]
        assert sorted(order) == list(problem.eliminable)
        assert found.multiplications == reference.total(problem, order)
        assert found.method == "agent"
        assert found.evaluations == passes


def test_more_passes_are_never_worse_and_follow_the_seed():
    graph = random_graph(4, middle=40, degree=3)
    costs = [search(graph, "agent", max_evaluations=n).multiplications for n in (1, 4, 12)]
    assert costs == sorted(costs, reverse=True)
    assert search(graph, "agent").multiplications == costs[0]
    twice = [search(graph, "agent", max_evaluations=9, seed=3).vertices for _ in range(2)]
    assert twice[0] == twice[1]


def test_a_budget_bounds_the_passes():
    graph = random_graph(4, middle=40, degree=3)
    assert search(graph, "agent", budget=1.0).evaluations > 1
    at_once = search(graph, "agent", budget=0.0)
    assert at_once.evaluations == 0
    assert at_once.multiplications == min(search(graph, name).multiplications for name in SIMPLE)
    assert "time was up" in at_once.note
    assert search(graph, "agent", budget=0.0, simple=False).evaluations == 1


def test_a_simple_order_is_taken_where_it_is_cheaper(tmp_path):
    """A policy that has learnt nothing is dearer than simple orders; the plan says so, also when it is read again."""
    path = tmp_path / "w.npz"
    weights.save(path, WEIGHTS, {})
    graph = random_graph(5, middle=30, degree=3)
    costs = {name: search(graph, name).multiplications for name in SIMPLE}
    alone = search(graph, "agent", weights=path, simple=False)
    found = search(graph, "agent", weights=path)
    assert found.multiplications == min(costs.values()) < alone.multiplications
    assert (found.method, found.evaluations, alone.note) == ("agent", 1, "")
    assert found.note.startswith(min(costs, key=costs.__getitem__))
    assert f"cheaper than the policy's ({alone.multiplications:,}" in found.note
    plan = dataclasses.replace(make_plan(graph, order="reverse"), note=found.note)
    assert f"order: {found.note}" in plan.explain()
    assert from_json(to_json(plan)).note == found.note


def test_large_graphs_take_several_vertices_a_look():
    graph = draw_graph(np.random.default_rng(1), 400)
    problem = Problem.from_graph(graph, "published")
    sweep, looks = Sweep(problem, weights.shipped("published")), 0
    assert len(sweep.waiting) > 150
    begun = len(sweep.waiting)
    while not sweep.ended:
        sweep.step(lambda logits: logits)
        looks += 1
    assert looks < begun
    assert sorted(sweep.order) == list(problem.eliminable)
    assert sweep.cost == reference.total(problem, sweep.order)


def test_a_jacobian_with_the_agents_order():
    def fun(x):
        a = jnp.sin(x[0]) * x[1]
        return jnp.stack([a * a, jnp.exp(a) * x[2]])

    x = jnp.array([0.3, 0.7, 1.1])
    np.testing.assert_allclose(elimax.jacobian(fun, order="agent")(x), jax.jit(jax.jacfwd(fun))(x), rtol=1e-12)
    assert elimax.plan(fun, x, order="agent").method == "agent"


def test_playing_needs_no_extra():
    """Neither the packages of the extra nor compiled code are imported to order a graph."""
    code = (
        "import sys, elimax; from elimax.graph.json import loads; from elimax.order import search;"
        'graph = loads(\'{"num_vertices": 4, "inputs": [0], "outputs": [3], "edges": [[0, 1, "variable"],'
        ' [1, 2, "variable"], [0, 2, "variable"], [1, 3, "unit"], [2, 3, "variable"]]}\');'
        "search(graph, 'agent');"
        "print([name for name in ('mctx', 'optax', 'equinox', 'numba', 'scipy') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_bad_arguments(tmp_path):
    graph = random_graph(0)
    with pytest.raises(OrderError, match="temperature should be a number"):
        search(graph, "agent", temperature=-1)
    with pytest.raises(OrderError, match=re.escape("no option 'heat'; it takes 'weights', 'temperature', 'simple'")):
        search(graph, "agent", heat=1)
    with pytest.raises(CheckpointError, match="there is no agent at"):
        search(graph, "agent", weights=tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"not a file of weights")
    with pytest.raises(CheckpointError, match="damaged"):
        search(graph, "agent", weights=tmp_path / "bad.npz")


def test_a_graph_beyond_the_limit(monkeypatch):
    monkeypatch.setattr(order, "LARGEST", 5)
    with pytest.raises(GraphSizeError, match="at most 5 vertices, this graph has 16; use order="):
        search(random_graph(0), "agent")


@pytest.mark.parametrize(
    ("layer", "array", "message"),
    [
        ("embed", np.zeros((3, 16), np.float32), "other features"),
        ("policy", np.zeros((5, 16), np.float32), "layer 'policy' has the arrays {'b'"),
        ("update1", None, "layer 'update1' has the arrays {}"),
        ("logit", np.full((16, 1), np.nan, np.float32), "no finite numbers"),
    ],
)
def test_weights_that_cannot_play(layer, array, message, tmp_path):
    other = {name: dict(arrays) for name, arrays in WEIGHTS.items()}
    if array is None:
        del other[layer]
    else:
        other[layer]["w"] = array
    weights.save(tmp_path / "w.npz", other, {})
    with pytest.raises(CheckpointError, match=message):
        weights.load(tmp_path / "w.npz")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_families_make_graphs(family):
    for seed in range(5):
        graph = family(np.random.default_rng(seed), 40)
        check_graph(graph)
        sources = {edge.source for edge in graph.edges}
        assert all(v in sources for v in range(len(graph.inputs), graph.num_vertices) if v not in graph.outputs)


@pytest.mark.parametrize("rule", ["published", "executed"])
def test_the_shipped_agent_beats_the_simple_orders_on_average(rule):
    """On random programs of the test suite, which it has not seen."""
    ratios = []
    for seed in range(12):
        problem = random_problem(100 + seed, rule, inputs=6, middle=35, outputs=5, degree=3)
        simple = min(search(problem, name).multiplications for name in ("forward", "reverse", "markowitz"))
        ratios.append(search(problem, "agent", simple=False).multiplications / max(simple, 1))
    assert np.exp(np.mean(np.log(ratios))) < 1.0


def test_auto_asks_the_policy_when_there_is_no_time_to_search():
    """Between a simple order and a search; without a limit on time, and with time to search, nothing changes."""
    problem = Problem.from_graph(draw_graph(np.random.default_rng(3), 70), "published")
    alone = search(problem, "agent", simple=False).multiplications
    simple = search(problem, "auto", max_evaluations=0)
    quick = search(problem, "auto", budget=0.14)
    assert simple.method != "agent"
    assert quick.multiplications <= simple.multiplications
    if quick.method == "agent":
        assert quick.multiplications == alone < simple.multiplications
