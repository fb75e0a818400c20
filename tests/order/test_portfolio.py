"""The distributed search: improves orders, survives workers that die, refuses what is no executor."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import pickle
import signal
from pathlib import Path

import jax.numpy as jnp
import pytest

import elimax
from elimax import execute
from elimax.elimination.evaluate import total
from elimax.elimination.problem import Problem
from elimax.elimination.steps import vertices_of
from elimax.graph.json import load
from elimax.order import search
from elimax.order.executors import RayExecutor

WORK = 40_000


def graph():
    path = Path(__file__).parents[3] / "shared" / "graphs" / "roe_flux_1d.json"
    if not path.exists():
        pytest.skip(f"the published graphs are not beside the project ({path.parent})")
    return load(path)


def simple_best(g):
    return min(search(g, name, cost="published").multiplications for name in ("forward", "reverse", "markowitz"))


def _killed(*args):
    """In place of a task: the worker dies as if it ran out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


class KillsOne(concurrent.futures.Executor):
    """Hands tasks on; the second one kills its worker."""

    def __init__(self, inner):
        self.inner, self.count = inner, 0

    @property
    def num_workers(self):
        return 2

    def submit(self, fn, /, *args, **kwargs):
        self.count += 1
        return self.inner.submit(_killed if self.count == 2 else fn, *args, **kwargs)


def check(found, g):
    problem = Problem.from_graph(g, "published")
    assert total(problem, vertices_of(found.vertices)) == found.multiplications
    assert found.lower_bound <= found.multiplications < simple_best(g)


def test_threads_of_the_caller():
    g = graph()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        check(search(g, "auto", cost="published", max_evaluations=WORK, executor=pool), g)


def test_problems_travel_between_processes():
    problem = Problem.from_graph(graph(), "executed")
    copy = pickle.loads(pickle.dumps(problem))
    assert total(copy, copy.eliminable) == total(problem, problem.eliminable)
    lin = execute.linearisation_for(lambda x: ([jnp.cumsum(jnp.roll(x, 1) * x)], []), [jnp.ones(5)])
    blocks = Problem.from_graph(lin.graph, "executed")
    copy = pickle.loads(pickle.dumps(blocks))
    assert total(copy, copy.eliminable) == total(blocks, blocks.eliminable)


@pytest.mark.slow
def test_processes():
    g = graph()
    check(search(g, "auto", cost="published", max_evaluations=WORK, executor="processes"), g)


@pytest.mark.slow
def test_a_process_killed_in_mid_search():
    g = graph()
    context = multiprocessing.get_context("spawn")
    alive = concurrent.futures.ProcessPoolExecutor(1, mp_context=context)
    doomed = concurrent.futures.ProcessPoolExecutor(1, mp_context=context)

    class Either(KillsOne):
        def submit(self, fn, /, *args, **kwargs):
            self.count += 1
            return doomed.submit(_killed) if self.count == 2 else alive.submit(fn, *args, **kwargs)

    with alive, doomed, pytest.warns(elimax.ElimaxWarning, match="worker of the order search failed"):
        found = search(g, "auto", cost="published", max_evaluations=WORK, executor=Either(alive))
    check(found, g)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Ray forks, and JAX warns of it
def test_ray_with_a_worker_killed_in_mid_search():
    ray = pytest.importorskip("ray")
    g = graph()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        check(search(g, "auto", cost="published", max_evaluations=WORK, executor="ray"), g)
        with pytest.warns(elimax.ElimaxWarning, match="worker of the order search failed"):
            found = search(g, "auto", cost="published", max_evaluations=WORK, executor=KillsOne(RayExecutor()))
        check(found, g)
    finally:
        ray.shutdown()


@pytest.mark.parametrize("executor", ["cluster", 3, object()])
def test_no_executor(executor):
    with pytest.raises(elimax.OrderError, match="processes"):
        search(graph(), "auto", cost="published", max_evaluations=100, executor=executor)
