from __future__ import annotations

import pytest
from tests.order.exhaustive import optimum
from tests.problems import block_like_problem, published_graph, random_graph, random_problem

from elimax.elimination import reference
from elimax.errors import OrderError
from elimax.order import search
from elimax.order.progress import Progress

MAKE = {
    "published": lambda seed, **sizes: random_problem(seed, "published", **sizes),
    "executed": lambda seed, **sizes: random_problem(seed, "executed", **sizes),
    "blocks": block_like_problem,
}


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("rank", ["estimate", "bound", "cost"])
def test_a_beam_that_drops_nothing_is_exact(kind, rank):
    for seed in range(6):
        problem = MAKE[kind](seed, middle=5, outputs=2, degree=3)
        found = search(problem, "beam", budget=60, width=1000, rank=rank)
        assert found.multiplications == found.lower_bound == optimum(problem)
        assert found.optimal
        assert found.multiplications == reference.total(problem, found.vertices)


@pytest.mark.parametrize("kind", MAKE)
def test_claims_hold_for_narrow_beams(kind):
    for seed in range(12):
        problem = MAKE[kind](seed, middle=6, outputs=2, degree=3)
        found = search(problem, "beam", budget=60, width=1 + seed % 3)
        simple = [search(problem, order).multiplications for order in ("forward", "reverse", "markowitz")]
        assert found.lower_bound <= optimum(problem) <= found.multiplications <= min(simple)
        assert found.optimal == (found.lower_bound == found.multiplications)
        assert found.multiplications == reference.total(problem, found.vertices)


@pytest.mark.parametrize("kind", MAKE)
def test_widens_until_nothing_is_dropped(kind):
    problem = MAKE[kind](4, middle=6, degree=3)
    found = search(problem, "beam", budget=60)
    assert found.optimal
    assert found.multiplications == optimum(problem)


def test_a_wider_beam_finds_more():
    graph = published_graph("roe_flux_1d")
    narrow, wide = (search(graph, "beam", "published", budget=20, width=width, rank="estimate") for width in (4, 128))
    assert wide.multiplications < narrow.multiplications
    assert wide.multiplications <= 300
    assert wide.method == "beam"


@pytest.mark.parametrize("kind", MAKE)
def test_depends_on_the_work_alone(kind):
    problem = MAKE[kind](5, middle=30, degree=3)
    first, second = (search(problem, "beam", max_evaluations=500, seed=3) for _ in range(2))
    assert first.vertices == second.vertices
    assert (first.lower_bound, first.evaluations) == (second.lower_bound, second.evaluations)
    assert first.evaluations < 500 + 256


@pytest.mark.parametrize("kind", MAKE)
def test_an_interrupt_returns_the_best_so_far(kind, monkeypatch):
    from elimax.order import beam as beam_module

    run, calls = beam_module._run, []

    def interrupted(*args):
        calls.append(args)
        run(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(beam_module, "_run", interrupted)
    problem = MAKE[kind](5, middle=40, degree=3)
    found = search(problem, "beam", max_evaluations=100_000)
    assert len(calls) == 1
    assert found.evaluations > 0
    assert found.multiplications == reference.total(problem, found.vertices)


def test_progress_is_shared():
    progress = Progress()
    found = search(random_graph(6, middle=40, degree=3), "beam", max_evaluations=2000, progress=progress)
    assert progress.best is not None
    assert progress.best.multiplications == found.multiplications
    assert progress.evaluations == found.evaluations > 0


def test_no_budget_leaves_the_simple_orders():
    graph = random_graph(3, middle=30, degree=3)
    found = search(graph, "beam", budget=0)
    assert found.evaluations == 0
    assert found.multiplications <= search(graph, "markowitz").multiplications


@pytest.mark.parametrize("width", [0, -3, True, 2.5, "wide"])
def test_width_is_checked(width):
    with pytest.raises(OrderError, match="width should be an integer, one or more, or None"):
        search(random_graph(1), "beam", width=width)


def test_rank_is_checked():
    with pytest.raises(OrderError, match="unknown rank 'best'; expected one of 'estimate', 'bound', 'cost'"):
        search(random_graph(1), "beam", rank="best")
