"""Orders with eliminations of single edges give the same Jacobian, and cost what the search says."""

from __future__ import annotations

import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from elimax import execute
from elimax.elimination.problem import Problem
from elimax.elimination.steps import EdgeStep, StepElimination, total_of_steps
from elimax.order import search


def scalars(x, y, z):
    a = jnp.sin(x) * y
    b = jnp.exp(a) + z
    c = a * b
    d = jnp.cos(c) / b
    return c * d, d + a * z


def arrays(x, y, z):
    a = jnp.sin(x)[:, None] * y
    b = jnp.exp(a) + z
    c = (a @ b.T) * x
    return c.sum(0) * b[0, :2], c[::-1]


ARGUMENTS = {
    "scalars": (scalars, (0.3, 1.2, -0.4)),
    "arrays": (arrays, (jnp.array([0.3, 0.7]), jnp.arange(6.0).reshape(2, 3) / 5, jnp.asarray(0.5))),
}


def random_steps(graph, rng):
    """Vertices in random order, with random possible edge eliminations in between."""
    problem = Problem.from_graph(graph, "executed")
    state, waiting, steps = StepElimination(problem), list(graph.eliminable), []
    rng.shuffle(waiting)
    while waiting:
        edges = [
            EdgeStep(kind, source, target)
            for source, fan in enumerate(state.outs)
            for target in fan
            for kind in ("front", "back")
            if (kind == "front" and target in waiting and target not in graph.outputs and state.outs[target])
            or (kind == "back" and source in waiting and source not in graph.inputs)
        ]
        step = rng.choice(edges) if edges and rng.random() < 0.5 else waiting.pop()
        state.apply(step)
        steps.append(step)
    return steps, state.cost


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("seed", range(6))
def test_random_sequences_give_the_same_jacobian(name, seed):
    fun, args = ARGUMENTS[name]
    lin = execute.linearisation_for(lambda *a: (fun(*a), []), args)
    steps, cost = random_steps(lin.graph, random.Random(seed))
    plan = elimax.plan(fun, *args, argnums=(0, 1, 2), order=steps)
    assert plan.multiplications == cost
    got = jax.jit(elimax.jacobian(fun, argnums=(0, 1, 2), order=steps))(*args)
    reference = jax.jit(jax.jacfwd(fun, argnums=(0, 1, 2)))(*args)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(reference), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_such_a_plan_survives_the_disk(tmp_path):
    fun, args = ARGUMENTS["scalars"]
    lin = execute.linearisation_for(lambda *a: (fun(*a), []), args)
    steps, _ = random_steps(lin.graph, random.Random(0))
    assert any(isinstance(step, EdgeStep) for step in steps)
    plan = elimax.plan(fun, *args, argnums=(0, 1, 2), order=steps)
    plan.save(tmp_path / "plan.json")
    assert type(plan).load(tmp_path / "plan.json") == plan
    assert "edge" in plan.explain()


def test_all_front_or_all_back_eliminations_are_the_vertex():
    lin = execute.linearisation_for(lambda *a: (scalars(*a), []), ARGUMENTS["scalars"][1])
    problem = Problem.from_graph(lin.graph, "published")
    for v in lin.graph.eliminable:
        whole = StepElimination(problem)
        if v in lin.graph.outputs:
            continue
        cost = whole.eliminate(v)
        for kind in ("front", "back"):
            parts = StepElimination(problem)
            edges = (
                [EdgeStep(kind, s, v) for s in list(parts.ins[v])]
                if kind == "front"
                else [EdgeStep(kind, v, t) for t in list(parts.outs[v])]
            )
            assert sum(parts.apply(edge) for edge in edges) == cost


def test_the_search_never_ends_worse_than_vertices_alone():
    lin = execute.linearisation_for(lambda *a: (scalars(*a), []), ARGUMENTS["scalars"][1])
    for cost in ("published", "executed"):
        vertices = search(lin.graph, "auto", cost=cost, max_evaluations=2000)
        edges = search(lin.graph, "edges", cost=cost, max_evaluations=4000)
        assert edges.multiplications <= vertices.multiplications
        assert total_of_steps(Problem.from_graph(lin.graph, cost), edges.vertices) == edges.multiplications


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (EdgeStep("front", 0, 10_000), "not there"),
        (("sideways", 0, 1), "front"),
        (EdgeStep("back", 0, 3), "there|input"),
    ],
)
def test_impossible_steps_are_refused(step, message):
    fun, args = ARGUMENTS["scalars"]
    plan = elimax.plan(fun, *args, argnums=(0, 1, 2), order="forward")
    with pytest.raises(elimax.OrderError, match=message):
        elimax.plan(fun, *args, argnums=(0, 1, 2), order=[step, *plan.order])
