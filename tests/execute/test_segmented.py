"""``order="coarse"``: the same Jacobians, plans that say what was joined, files that bring it back."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from elimax import zoo
from elimax.emit.model import DEFAULT
from elimax.errors import PlanFormatError, PlanMismatchError
from elimax.execute import segmented
from elimax.plan.store import from_json, to_json


def price(s, k, r):
    d1 = (jnp.log(s / k) + r) / jnp.sqrt(r)
    cdf = 0.5 * (1 + jax.scipy.special.erf(d1 / jnp.sqrt(2.0)))
    return s * cdf - k * jnp.exp(-r) * cdf / jnp.exp(jnp.log(1 + r**2.0)) ** 2


ARGS = (1.2, 0.9, 0.4)


def same(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@pytest.fixture(autouse=True)
def _forgotten():
    segmented.forget()


@pytest.mark.parametrize("name", ["lighthouse", "black_scholes", "roe_flux_1d", "hole"])
def test_jacobians_of_the_zoo(name):
    problem = zoo.get(name)
    expected = jax.jit(jax.jacfwd(problem.fun, argnums=problem.argnums))(*problem.args)
    ours = jax.jit(elimax.jacobian(problem.fun, argnums=problem.argnums, order="coarse"))
    same(ours(*problem.args), expected)


def powers(x, y, z):
    a = x**2.0 * y / (1 + z * z)
    b = jnp.exp(jnp.log(1 + a * a))
    return a * b + jnp.sqrt(x * x + y * y) ** 2, (b * z) ** 2.0


@pytest.fixture
def one_core(monkeypatch):
    """Predictions for one core: which form is fastest depends on how many share the work."""
    monkeypatch.setattr(segmented, "current", lambda: dataclasses.replace(DEFAULT, threads=1))
    segmented.forget()
    yield
    segmented.forget()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.usefixtures("one_core")
def test_segments_that_promise_much_are_taken_unasked(dtype):
    args = tuple(jnp.asarray(x, dtype) for x in (-0.7, 0.0, 0.5))
    plan = elimax.plan(powers, *args, argnums=(0, 1, 2))
    assert plan.coarse is not None
    assert plan.coarse.segments
    assert "exponential of a logarithm" in str(plan)
    ours, theirs = (j(powers, argnums=(0, 1, 2)) for j in (elimax.jacobian, jax.jacfwd))
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-14}
    batch = tuple(jnp.stack([x, x + 0.5, jnp.nan * x]) for x in args)
    pairs = [(jax.jit(f)(*args), jax.jit(jax.vmap(f))(*batch), jax.jit(jax.jacfwd(f))(*args)) for f in (ours, theirs)]
    for a, b in zip(*map(jax.tree.leaves, pairs), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, **tolerance)
    again = jax.jit(elimax.jacobian(powers, argnums=(0, 1, 2), order=from_json(to_json(plan))))(*args)
    for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(theirs(*args)), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


def test_functions_without_promise_are_planned_without_segments(monkeypatch):
    monkeypatch.setattr(segmented, "_decide", lambda *_: pytest.fail("segments were tried in vain"))
    problem = zoo.get("roe_flux_1d")
    plan = elimax.plan(problem.fun, *problem.args, argnums=problem.argnums)
    assert plan.coarse is None
    assert "segments" not in str(plan)


def test_segments_are_chosen_by_cost_and_shown():
    plan = elimax.plan(price, *ARGS, argnums=(0, 1, 2), order="coarse")
    assert plan.coarse is not None
    assert plan.coarse.segments
    before, after = plan.coarse.operations
    assert after < before
    assert plan.multiplications < plan.coarse.multiplications
    text = str(plan)
    many, fewer = plan.coarse.products
    assert before > many > fewer > 0
    assert f"emitted operations {before} -> {after}, of them multiplications {many} -> {fewer}" in text
    assert "simplified: factor one" in text
    assert "segment 0:" in text


def test_where_segments_do_not_pay_there_are_none():
    def fun(x):
        return jnp.sort(x)[::-1]

    x = jnp.array([0.3, -1.0, 2.0])
    plan = elimax.plan(fun, x, order="coarse")
    assert plan.coarse is not None
    assert plan.coarse.segments == ()
    assert "segments: none" in str(plan)
    same(jax.jit(elimax.jacobian(fun, order="coarse"))(x), jax.jit(jax.jacfwd(fun))(x))


def test_plans_are_files_and_fit_again(tmp_path):
    plan = elimax.plan(price, *ARGS, argnums=(0, 1, 2), order="coarse")
    plan.save(tmp_path / "plan.json")
    loaded = elimax.Plan.load(tmp_path / "plan.json")
    assert loaded == plan
    segmented.forget()
    expected = jax.jit(jax.jacfwd(price, argnums=(0, 1, 2)))(*ARGS)
    same(jax.jit(elimax.jacobian(price, argnums=(0, 1, 2), order=loaded))(*ARGS), expected)
    with pytest.raises(PlanMismatchError):
        elimax.jacobian(lambda x: jnp.sin(x) * x, order=loaded)(0.3)


def test_damaged_segments_are_refused():
    plan = elimax.plan(price, *ARGS, argnums=(0, 1, 2), order="coarse")
    text = to_json(plan).replace('"applied"', '"rules"')
    with pytest.raises(PlanFormatError, match="damaged"):
        from_json(text)


def test_plans_are_deterministic():
    first = elimax.plan(price, *ARGS, argnums=(0, 1, 2), order="coarse")
    segmented.forget()
    second = elimax.plan(price, *ARGS, argnums=(0, 1, 2), order="coarse")
    assert dataclasses.replace(first, seconds=0.0) == dataclasses.replace(second, seconds=0.0)


def test_under_transformations():
    args = [jnp.linspace(0.5, 1.5, 7), jnp.linspace(0.7, 1.1, 7), jnp.linspace(0.2, 0.9, 7)]
    ours = elimax.jacobian(price, argnums=(0, 1), order="coarse")
    same(jax.jit(jax.vmap(ours))(*args), jax.jit(jax.vmap(jax.jacfwd(price, argnums=(0, 1))))(*args))
    same(jax.jit(jax.jacfwd(ours))(*ARGS), jax.jit(jax.jacfwd(jax.jacfwd(price, argnums=(0, 1))))(*ARGS))
    same(jax.jit(jax.grad(lambda x: ours(x, *ARGS[1:])[0]))(1.2), jax.jit(jax.grad(jax.grad(price)))(*ARGS))


def test_arrays_and_users_rules():
    @jax.custom_jvp
    def f(x):
        return jnp.sin(x)

    f.defjvp(lambda primals, tangents: (f(*primals), 3.0 * jnp.cos(primals[0]) * tangents[0]))

    def fun(x):
        return jnp.tanh(f(x) * x) / (1 + f(x) ** 2) + jnp.sum(jnp.exp(-(x**2)) * f(x))

    x = jnp.array([0.3, -1.0, 2.0])
    same(jax.jit(elimax.jacobian(fun, order="coarse"))(x), jax.jit(jax.jacfwd(fun))(x))
    sparse = jax.jit(elimax.jacobian(lambda x: jnp.tanh(f(x) * x) / (1 + f(x) ** 2), order="coarse", output="bcoo"))(x)
    same(sparse.todense(), jax.jit(jax.jacfwd(lambda x: jnp.tanh(f(x) * x) / (1 + f(x) ** 2)))(x))


def test_a_decision_is_remembered(monkeypatch):
    calls = []
    original = segmented.coarsened
    monkeypatch.setattr(segmented, "coarsened", lambda *args: calls.append(args) or original(*args))
    jacobian = elimax.jacobian(price, argnums=(0, 1, 2), order="coarse")
    first = jacobian(*ARGS)
    count = len(calls)
    assert count == len(segmented.WAYS)
    same(jacobian(*ARGS), first)
    assert len(calls) == count


def test_stopped_derivatives_stay_stopped_in_second_derivatives(monkeypatch):
    monkeypatch.setattr(segmented, "GAIN", 1e9)

    def fun(x, y):
        held = jax.lax.stop_gradient(x * y)
        return jnp.exp(jnp.log(1 + x * x)) * held + jnp.sin(y) * held

    total = lambda j: lambda x, y: sum(j(x, y))  # noqa: E731
    ours, theirs = (
        jax.jit(jax.grad(total(j), argnums=(0, 1)))(0.3, 0.7)
        for j in (elimax.jacobian(fun, (0, 1), order="coarse"), jax.jacfwd(fun, (0, 1)))
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_rules_that_simplification_removes_are_no_obstacle(monkeypatch):
    monkeypatch.setattr(segmented, "GAIN", 1e9)

    def fun(x, y):
        return jnp.exp(jnp.log(1 + x * x)) * jax.lax.stop_gradient(x * y) ** 1.0 * jnp.sin(y) ** 2

    plan = elimax.plan(fun, 0.3, 0.7, argnums=(0, 1), order="coarse")
    same(jax.jit(elimax.jacobian(fun, (0, 1), order=plan))(0.3, 0.7), jax.jit(jax.jacfwd(fun, (0, 1)))(0.3, 0.7))


@pytest.mark.parametrize("order", ["coarse", "auto"])
def test_large_programs_get_segments_by_counted_work(order):
    args = [jnp.linspace(0.5, 1.5, 700), jnp.linspace(-0.9, 1.1, 700), jnp.linspace(0.0, 0.9, 700)]
    plan = elimax.plan(powers, *args, argnums=(0, 1, 2), order=order)
    assert plan.coarse is not None
    assert plan.coarse.counted
    assert plan.coarse.segments
    before, after = plan.coarse.operations
    assert after < 0.9 * before
    assert f"counted operations {before:,} -> {after:,}" in str(plan)
    loaded = from_json(to_json(plan))
    assert loaded == plan
    segmented.forget()
    ours = jax.jit(elimax.jacobian(powers, argnums=(0, 1, 2), order=loaded))(*args)
    for a, b in zip(
        jax.tree.leaves(ours), jax.tree.leaves(jax.jit(jax.jacfwd(powers, argnums=(0, 1, 2)))(*args)), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_large_programs_without_simplification_say_so(monkeypatch):
    monkeypatch.setattr(segmented, "MOST_OPERATIONS", 10)
    problem = zoo.get("random_program", seed=3, size=30, arrays=False)
    plan = elimax.plan(problem.fun, *problem.args, argnums=problem.argnums, order="coarse")
    assert plan.coarse is not None
    assert plan.coarse.counted
    assert ("counted work speaks for single operations" in str(plan)) == (not plan.coarse.segments)


@pytest.mark.usefixtures("one_core")
def test_local_jacobians_with_segments():
    coarse = elimax.coarsen(powers, order="coarse", when="always")
    args = (-0.7, 0.4, 0.5)
    loss = lambda f: lambda *xs: sum(f(*xs)) ** 2  # noqa: E731
    assert elimax.plan(coarse, *args, argnums=(0, 1, 2)).coarse.segments
    ours, theirs = (jax.jit(jax.grad(loss(f), argnums=(0, 1, 2))) for f in (coarse, powers))
    np.testing.assert_allclose(ours(*args), theirs(*args), rtol=1e-12)
    assert "log" not in str(jax.make_jaxpr(ours)(*args))
