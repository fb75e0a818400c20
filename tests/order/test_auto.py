from __future__ import annotations

import itertools
import threading

import jax.numpy as jnp
import pytest
from tests.problems import block_like_problem, published_graph, random_graph, random_problem

from elimax import execute
from elimax.elimination import reference
from elimax.elimination.problem import Problem
from elimax.order import auto as auto_module
from elimax.order import limits as limits_module
from elimax.order import search
from elimax.order.limits import SEARCHED_FROM
from elimax.order.progress import Progress
from elimax.order.result import Order


@pytest.mark.parametrize("name", ["human_heart_dipole", "propane_combustion", "robot_arm_6dof"])
def test_proves_published_graphs_optimal(name):
    found = search(published_graph(name), "auto", "published", budget=0)
    assert found.optimal
    assert found.lower_bound == found.multiplications
    assert found.gap == 0


def test_stops_when_the_bound_is_met():
    found = search(published_graph("human_heart_dipole"), "auto", "executed", budget=60)
    assert (found.multiplications, found.lower_bound, found.optimal) == (48, 48, True)
    assert found.seconds < 30


@pytest.mark.parametrize("rule", ["published", "executed"])
@pytest.mark.parametrize("seed", range(8))
def test_claims_hold(seed, rule):
    problem = random_problem(seed, rule, middle=6, outputs=2, degree=3)
    optimum = min(reference.total(problem, order) for order in itertools.permutations(problem.eliminable))
    found = search(problem, "auto", max_evaluations=2000)
    assert found.lower_bound <= optimum <= found.multiplications
    assert found.optimal == (found.lower_bound == found.multiplications)
    assert found.multiplications == reference.total(problem, found.vertices)


def test_gap_is_a_fraction_of_the_cost():
    assert Order((), 100, "x", lower_bound=80).gap == pytest.approx(0.2)
    assert Order((), 100, "x", lower_bound=100).gap == 0
    assert Order((), 0, "x").gap == 0


def test_blocks_are_searched_too():
    problem = block_like_problem(1, middle=12)
    found = search(problem, "auto", max_evaluations=500)
    assert found.multiplications == reference.total(problem, found.vertices)
    assert not found.optimal


@pytest.mark.parametrize(
    ("most", "wide", "limits", "searched"),
    [(0, 1, {}, False), (10**6, 1, {}, True), (0, 10, {}, True), (0, 1, {"budget": 9}, True)],
)
def test_blocks_of_many_terms_are_left_to_simple_orders(monkeypatch, most, wide, limits, searched):
    monkeypatch.setattr(limits_module, "SEARCHED_FROM", 1)
    monkeypatch.setattr(auto_module, "MOST_PAIRS", most)
    monkeypatch.setattr(auto_module, "WIDE", wide)
    found = []
    monkeypatch.setattr(auto_module, "_search", lambda *_: found.append(True))
    lin = execute.linearisation_for(lambda x: ([jnp.cumsum(jnp.sin(jnp.roll(x, 1) * x) ** 2)], []), [jnp.ones(5)])
    problem = Problem.from_graph(lin.graph, "executed")
    assert search(problem, "auto", **limits).multiplications > 0
    assert problem.algebra.pairs > 0
    assert bool(found) == searched


def test_an_interrupt_returns_the_best_so_far(monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(auto_module, "wait", interrupted)
    graph = random_graph(3, middle=60, degree=3)
    found = search(graph, "auto", budget=20)
    assert found.seconds < 15
    simple = [search(graph, order).multiplications for order in ("forward", "reverse", "markowitz")]
    assert found.multiplications <= min(simple)


def test_an_interrupt_of_annealing_returns_the_best_so_far(monkeypatch):
    from elimax.order.walk import Annealer

    run, calls = Annealer.run, []

    def interrupted(self, *args):
        calls.append(args)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return run(self, *args)

    monkeypatch.setattr(Annealer, "run", interrupted)
    found = search(random_graph(3, middle=60, degree=3), "annealing", budget=20)
    assert len(calls) == 4
    assert found.evaluations > 0


def test_a_failing_part_is_reported(monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(auto_module, "annealing", broken)
    with pytest.raises(ZeroDivisionError):
        search(random_graph(3, middle=60, degree=3), "auto", max_evaluations=100)


def test_progress_is_shared():
    progress = Progress()
    graph = random_graph(6, middle=40, degree=3)
    found = search(graph, "auto", max_evaluations=1000, progress=progress)
    assert progress.best is not None
    assert progress.best.multiplications == found.multiplications
    assert progress.lower_bound == found.lower_bound
    assert progress.evaluations == found.evaluations


def test_progress_takes_reports_from_threads():
    progress = Progress()

    def report(k):
        for step in range(200):
            progress.offer(Order((), 1000 - step - k, "x"))
            progress.raise_bound(step)
            progress.count(1)

    threads = [threading.Thread(target=report, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert progress.best is not None
    assert (progress.best.multiplications, progress.lower_bound, progress.evaluations) == (798, 199, 800)


def test_a_watcher_can_stop_the_search():
    progress = Progress()
    progress.stopped.set()
    found = search(random_graph(3, middle=60, degree=3), "auto", budget=60, progress=progress)
    assert found.seconds < 30


def test_annealing_ends_at_a_known_bound():
    progress = Progress()
    progress.raise_bound(10**6)
    found = search(random_graph(3, middle=60, degree=3), "annealing", budget=60, progress=progress)
    assert found.evaluations == 0


@pytest.mark.parametrize(
    ("scalar", "name"),
    [
        *((True, name) for name in ("auto", "annealing", "beam", "exact")),
        *((False, name) for name in ("auto", "annealing", "exact")),
        pytest.param(False, "beam", marks=pytest.mark.slow),
    ],
)
def test_without_limits_the_clock_does_not_matter(monkeypatch, scalar, name):
    problem = random_problem(5, "executed", middle=60, degree=3) if scalar else block_like_problem(5, middle=80)
    assert problem.sources.size >= SEARCHED_FROM
    usual = search(problem, name)
    hours = itertools.count(step=3600.0)
    monkeypatch.setattr(limits_module.time, "perf_counter", lambda: next(hours))
    slow = search(problem, name)
    assert (slow.vertices, slow.lower_bound, slow.method) == (usual.vertices, usual.lower_bound, usual.method)
