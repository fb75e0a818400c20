"""Searches on graphs that elimax traces itself: they need no graph files beside the project."""

from __future__ import annotations

import jax
import pytest

from elimax import execute, zoo
from elimax.elimination import reference
from elimax.elimination.problem import Problem
from elimax.execute.run import run
from elimax.order import search

NAMES = ("robot_arm_6dof", "human_heart_dipole", "propane_combustion", "roe_flux_1d")


@pytest.fixture(scope="module", params=NAMES)
def linearised(request):
    problem = zoo.get(request.param)
    leaves, tree = jax.tree.flatten(list(problem.args))
    return execute.linearisation_for(
        lambda *args: (jax.tree.leaves(problem.fun(*jax.tree.unflatten(tree, args))), []), leaves
    )


@pytest.mark.parametrize("rule", ["published", "executed"])
def test_auto_is_never_worse_than_the_simple_orders(linearised, rule):
    graph = linearised.graph
    simple = {name: search(graph, name, rule).multiplications for name in ("forward", "reverse", "markowitz")}
    found = search(graph, "auto", rule, max_evaluations=20_000)
    assert found.multiplications <= min(simple.values())
    assert 0 < found.lower_bound <= found.multiplications
    assert found.optimal == (found.lower_bound == found.multiplications)
    assert reference.total(Problem.from_graph(graph, rule), found.vertices) == found.multiplications
    # Every bound holds for every order.
    assert found.lower_bound <= min(simple.values())
    # The executed rule leaves products out and adds none.
    if rule == "executed":
        assert found.multiplications <= search(graph, found.vertices, "published").multiplications


def test_the_executed_count_is_what_the_program_multiplies(linearised):
    """Multiplications that accumulation adds to the program, counted in the jaxpr."""
    graph = linearised.graph
    found = search(graph, "auto", "executed", max_evaluations=5_000)

    args = [jax.ShapeDtypeStruct(graph.vertices[v].shape, graph.vertices[v].dtype) for v in graph.inputs]

    def multiplications(order):
        def accumulated(*args):
            results, edges = run(linearised, order, args)
            return results, [values for _, values in edges.values()]

        return sum(eqn.primitive.name == "mul" for eqn in jax.make_jaxpr(accumulated)(*args).eqns)

    reverse = search(graph, "reverse", "executed")
    difference = multiplications(reverse.vertices) - multiplications(found.vertices)
    assert difference == reverse.multiplications - found.multiplications
