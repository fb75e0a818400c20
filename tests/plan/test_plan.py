"""Plans print, explain, save, load, fit equal graphs and refuse others."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from elimax import zoo
from elimax.plan import Plan


def fun(x, y):
    a = jnp.sin(x) * y
    b = jnp.exp(a)
    return jnp.stack([b[0] * a[1], b[1], (a * b).sum()])


ARGS = (jnp.array([0.3, 0.7]), jnp.array([1.5, -0.5]))


def make(**kwargs):
    return elimax.plan(fun, *ARGS, argnums=(0, 1), **kwargs)


def test_it_prints_baselines_bound_and_blocks():
    text = str(make())
    for word in ("forward", "reverse", "markowitz", "lower bound", "blocks:", "fun"):
        assert word in text


def test_it_explains_every_elimination():
    plan = make(order="reverse")
    lines = plan.explain().splitlines()
    start = lines.index("eliminations, in order:") + 1
    assert len(lines[start:]) == len(plan.order)
    assert sum(int(line.split()[-1].replace(",", "")) for line in lines[start:]) == plan.multiplications


@pytest.mark.parametrize("order", ["forward", "reverse", "markowitz", "auto"])
@pytest.mark.parametrize("cost", ["published", "executed", "multiplications", "time"])
def test_round_trip(tmp_path, order, cost):
    plan = make(order=order, cost=cost)
    path = tmp_path / "plan.json"
    plan.save(path)
    loaded = Plan.load(path)
    assert loaded == plan
    assert loaded.graph_hash == plan.graph_hash
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]
    got = elimax.jacobian(fun, argnums=(0, 1), order=loaded)(*ARGS)
    for a, b in zip(got, jax.jit(jax.jacfwd(fun, argnums=(0, 1)))(*ARGS), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_baselines_are_what_those_orders_cost():
    plan = make()
    for name, count in plan.baselines.items():
        assert make(order=name).multiplications == count
    assert plan.multiplications <= min(plan.baselines.values())
    assert plan.lower_bound <= plan.multiplications
    assert plan.optimal is (plan.multiplications == plan.lower_bound) or plan.optimal


def test_a_plan_survives_another_numbering_of_the_program():
    def renumbered(x, y):
        unused = jnp.cos(y) + 3
        del unused
        product = y * jnp.sin(x)
        b = jnp.exp(product)
        return jnp.stack([product[1] * b[0], b[1], (product * b).sum()])

    got = elimax.jacobian(renumbered, argnums=(0, 1), order=make())(*ARGS)
    for a, b in zip(got, jax.jit(jax.jacfwd(renumbered, argnums=(0, 1)))(*ARGS), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("order", ["forward", "reverse", "auto"])
def test_a_plan_survives_that_known_numbers_become_arguments(order):
    problem = zoo.get("robertson")
    plan = elimax.plan(problem.fun, *problem.args, argnums=problem.argnums, order=order)
    compiled = jax.jit(elimax.jacobian(problem.fun, problem.argnums, order=plan))
    expected = jax.jit(jax.jacfwd(problem.fun, problem.argnums))(*problem.args)
    np.testing.assert_allclose(compiled(*problem.args), expected, rtol=1e-5)


def test_a_plan_for_other_shapes_is_refused_argument_by_argument():
    longer = (jnp.ones(3), ARGS[1])
    with pytest.raises(elimax.PlanMismatchError, match="argument 0") as caught:
        elimax.jacobian(lambda x, y: fun(x[:2], y), argnums=(0, 1), order=make())(*longer)
    assert "DIFFERS" in str(caught.value)
    assert "[3]" in str(caught.value)


def test_a_plan_for_another_function_is_refused():
    with pytest.raises(elimax.PlanMismatchError):
        elimax.jacobian(lambda x, y: x * y, argnums=(0, 1), order=make())(*ARGS)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"format": "elimax plan", "version": 99}', '{"format": "elimax plan", "version": 1}'],
)
def test_a_file_that_is_no_plan_is_refused(tmp_path, text):
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(elimax.PlanFormatError):
        Plan.load(path)


def test_a_plan_with_a_changed_order_is_refused(tmp_path):
    path = tmp_path / "plan.json"
    make().save(path)
    data = json.loads(path.read_text())
    data["order"] = data["order"][1:]
    path.write_text(json.dumps(data))
    with pytest.raises(elimax.PlanFormatError, match="misses"):
        Plan.load(path)


def test_a_plan_with_a_changed_graph_is_refused(tmp_path):
    path = tmp_path / "plan.json"
    make().save(path)
    data = json.loads(path.read_text())
    data["graph_hash"] = "0" * 64
    path.write_text(json.dumps(data))
    with pytest.raises(elimax.PlanFormatError, match="hash"):
        Plan.load(path)


@pytest.mark.parametrize("suffix", ["svg", "dot", "html"])
def test_it_draws(tmp_path, suffix):
    path = tmp_path / f"plan.{suffix}"
    make().draw(path)
    assert path.stat().st_size > 200


def test_the_plan_does_not_depend_on_the_process_or_on_names():
    assert make().order == make().order
    assert make().graph_hash == elimax.plan(lambda x, y: fun(x, y), *ARGS, argnums=(0, 1)).graph_hash
