"""Hessians of which half is computed and mirrored are those of jax.hessian."""

from __future__ import annotations

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from elimax.execute import symmetric
from tests.agreement import assert_trees_close

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=7))
Y = jnp.asarray(RNG.normal(size=7))
U = jnp.asarray(RNG.normal(size=(4, 3)))
DATA = jnp.asarray(RNG.normal(size=(3, 5)))
WEIGHTS = {
    "first": jnp.asarray(RNG.normal(size=(4, 3))),
    "offset": jnp.asarray(RNG.normal(size=4)),
    "second": jnp.asarray(RNG.normal(size=(2, 4))),
}


def network(p: Any) -> Any:
    return jnp.sum((p["second"] @ jnp.tanh(p["first"] @ DATA + p["offset"][:, None]) - 1.0) ** 2)


def neighbours(x: Any) -> Any:
    return sum(jnp.sum(jnp.exp(-((x[k:] - x[:-k]) ** 2)) * jnp.sin(x[k:] * x[:-k])) for k in range(1, 4))


CASES = {
    "chain": (lambda x: jnp.sum((x[1:] - x[:-1] ** 2) ** 2), (X,), {}),
    "neighbours": (neighbours, (X,), {}),
    "dense and diagonals": (lambda x: neighbours(x) + jnp.sum(jnp.outer(x, x) @ jnp.sin(x)), (X,), {}),
    "grid": (lambda u: jnp.sum(jnp.sqrt(1 + (u[1:, 1:] - u[:-1, :-1] * u[1:, :-1]) ** 2)), (U,), {}),
    "network": (network, (WEIGHTS,), {}),
    "two arguments": (lambda x, y: jnp.sum(jnp.sqrt(1 + (x[1:] - y[:-1]) ** 2) * x[:-1]), (X, Y), {"argnums": (0, 1)}),
    "other order": (lambda x, y: jnp.sum(jnp.sqrt(1 + (x[1:] - y[:-1]) ** 2) * x[:-1]), (X, Y), {"argnums": (1, 0)}),
    "several results": (lambda x: {"a": jnp.outer(x[:2] * x[2:4], x[1:3]), "b": neighbours(x)}, (X,), {}),
    "strides and reversal": (lambda x: jnp.sum(x[::2] ** 2 * x[::-2] * jnp.exp(x[:4])), (X,), {}),
    "branches": (lambda x: jnp.sum(jnp.where(x[1:] > 0, jnp.sqrt(jnp.abs(x[1:])), 1.0) * x[:-1] ** 2), (X,), {}),
    "gather": (lambda x: jnp.sum(x[jnp.array([0, 3, 3, 5])] * x[jnp.array([1, 1, 2, 0])] ** 2), (X,), {}),
    "of a scalar and a vector": (lambda a, x: a**2 * jnp.sum(x**3) + a, (X[0], X), {"argnums": (0, 1)}),
    "holomorphic": (lambda z: jnp.sum(z[1:] * z[:-1] ** 2), (jax.lax.complex(X, Y),), {"holomorphic": True}),
}


@pytest.mark.parametrize("output", ["dense", "bcoo"])
@pytest.mark.parametrize("name", CASES)
def test_same_as_jax(name, output):
    fun, args, options = CASES[name]
    found = jax.jit(elimax.hessian(fun, output=output, **options))(*args)
    assert_trees_close(found, jax.jit(jax.hessian(fun, **options))(*args))


@pytest.mark.parametrize("name", [pytest.param("neighbours", marks=pytest.mark.slow), "two arguments"])
def test_batches_single_precision_and_third_derivatives(name):
    fun, args, options = CASES[name]
    expected = jax.hessian(fun, **options)
    found = elimax.hessian(fun, **options)
    batch = jax.tree.map(lambda x: jnp.stack([x, 0.5 * x, -x]), args)
    assert_trees_close(jax.jit(jax.vmap(found))(*batch), jax.jit(jax.vmap(expected))(*batch))
    single = jax.tree.map(lambda x: x.astype(jnp.float32), args)
    assert_trees_close(jax.jit(found)(*single), expected(*single), eps=np.finfo(np.float32).eps)

    def total(hess: Any) -> Any:
        return lambda *args: sum(
            jnp.sum(jnp.sin(b) * jnp.cos(jnp.arange(b.size).reshape(b.shape))) for b in hess(*args)
        )

    leaves = [lambda *args, h=h: jax.tree.leaves(h(*args)) for h in (found, expected)]
    assert_trees_close(
        jax.jit(jax.grad(total(leaves[0])))(*args), jax.jit(jax.grad(total(leaves[1])))(*args), eps=1e-13
    )


@pytest.fixture
def turned(monkeypatch):
    """Counts values that are used for the other side as well."""
    calls = []
    original = symmetric._turned

    def count(value, order):
        calls.append(order)
        return original(value, order)

    monkeypatch.setattr(symmetric, "_turned", count)
    return calls


def multiplications(compiled: Any) -> float:
    return compiled.cost_analysis()["flops"]


def test_half_of_it_is_computed(turned, monkeypatch):
    args = jax.ShapeDtypeStruct((12, 6), "float64"), jax.ShapeDtypeStruct((3, 12), "float64")
    data = jnp.asarray(RNG.normal(size=(6, 40)))

    def fun(first, second):
        return jnp.sum(jnp.tanh(second @ jnp.tanh(first @ data)))

    half = jax.jit(elimax.hessian(fun, (0, 1), form="plain")).lower(*args).compile()
    assert turned
    candidates = sys.modules["elimax.execute.candidates"]
    monkeypatch.setattr(candidates, "mirrored", lambda edges, keys, symmetry, diagonals: edges)
    whole = jax.jit(elimax.hessian(fun, (0, 1), form="plain")).lower(*args).compile()
    assert multiplications(half) < 0.9 * multiplications(whole)


@jax.custom_jvp
def odd(x):
    return x**2


odd.defjvp(lambda primals, tangents: (odd(*primals), tangents[0] * primals[0] * primals[0][::-1]))


def test_rules_of_users_are_not_mirrored(turned):
    def fun(x):
        return jnp.sum(odd(x) * X)

    expected = jax.jit(jax.hessian(fun))(X)
    assert not np.allclose(expected, expected.T)  # the rule is that of no function
    assert_trees_close(jax.jit(elimax.hessian(fun))(X), expected)
    assert_trees_close(jax.jit(elimax.hessian(fun, output="bcoo"))(X), expected)
    assert not turned


@pytest.mark.standard_promotion
def test_other_dtypes_beside():
    def fun(x, y):
        return jnp.sum(x[1:] * x[:-1] ** 2) + jnp.sum(y.astype(x.dtype) ** 2 * x)

    args = X.astype(jnp.float32), Y
    found = jax.jit(elimax.hessian(fun, (0, 1)))(*args)
    expected = jax.jit(jax.hessian(fun, (0, 1)))(*args)
    assert jax.tree.map(lambda x: x.dtype, found) == jax.tree.map(lambda x: x.dtype, expected)
    assert_trees_close(found, expected, eps=np.finfo(np.float32).eps)


def turns(x: Any) -> Any:
    return jax.lax.fori_loop(0, 3, lambda _, v: v + 0.1 * jnp.sin(v), x)


LOOPS = {
    "arrow": (lambda x: jnp.sum(turns(x[1:] * x[0])) + x[0] ** 3, (jnp.linspace(0.1, 1.0, 60),), {}),
    "grid": (lambda u: jnp.sum(turns(u[1:] - u[:-1]) ** 2) + jnp.sum(turns(u[:, 1:] * u[:, :-1])), (U,), {}),
    "tree": (
        lambda p: jnp.sum(turns(p["a"] * p["s"]) ** 2 + p["a"] * turns(p["a"][::-1])),
        ({"a": X, "s": Y[0]},),
        {},
    ),
    "arguments": (lambda x, y: jnp.sum(turns(x[1:] * y[:-1]) * y[1:]), (X, Y), {"argnums": (1, 0)}),
    "one result": (lambda x: jnp.sum(turns(x[1:] * x[0]), keepdims=True), (X,), {}),
}


@pytest.mark.parametrize(
    "name", ["grid", *(pytest.param(name, marks=pytest.mark.slow) for name in LOOPS if name != "grid")]
)
def test_star_colouring(name):
    fun, args, options = LOOPS[name]
    plan = elimax.plan(fun, *args, hessian=True, **options).with_mode("star")
    expected = jax.jit(jax.hessian(fun, **options))(*args)
    for output in ("dense", "bcoo"):
        assert_trees_close(jax.jit(elimax.hessian(fun, order=plan, output=output, **options))(*args), expected)
    single = jax.tree.map(lambda x: x.astype(jnp.float32), args)
    plan = elimax.plan(fun, *single, hessian=True, **options).with_mode("star")
    batch = jax.tree.map(lambda x: jnp.stack([x, 0.5 * x]), single)
    found = jax.jit(jax.vmap(elimax.hessian(fun, order=plan, **options)))(*batch)
    assert_trees_close(found, jax.jit(jax.vmap(jax.hessian(fun, **options)))(*batch), eps=np.finfo(np.float32).eps)


def test_plans_name_symmetry(tmp_path):
    def fun(x):
        step = lambda _, v: v + 0.1 * (jnp.roll(v, 1) - 2 * v + jnp.roll(v, -1)) * v  # noqa: E731
        return jnp.sum(jax.lax.fori_loop(0, 2, step, x[1:] * x[0]))

    args = (jnp.linspace(0.1, 1.0, 200),)
    plan = elimax.plan(fun, *args, hessian=True)
    assert plan.mode == "star"
    assert plan.modes[0][0] == "star"
    assert 0.2 < plan.mirrored < 0.4  # a row, a column and nine diagonals
    assert f"symmetric: {100 * plan.mirrored:.0f} % of the entries" in str(plan)
    plan.save(tmp_path / "plan.json")
    assert elimax.Plan.load(tmp_path / "plan.json").mirrored == plan.mirrored
    assert elimax.plan(jax.grad(fun), *args).mirrored is None
    assert elimax.plan(neighbours, X, hessian=True).mirrored > 0.2
    assert elimax.plan(neighbours, jax.ShapeDtypeStruct((10**6,), "float64"), hessian=True).mirrored == 0.0


def test_star_is_for_hessians_known_to_be_symmetric():
    fun, args, _ = LOOPS["arrow"]
    plan = elimax.plan(jax.grad(fun), *args).with_mode("star")
    with pytest.raises(elimax.ModeError, match=r"not known to be symmetric.*elimination"):
        elimax.jacobian(jax.grad(fun), order=plan)(*args)

    def ruled(x):
        return jnp.sum(turns(odd(x) * X))

    plan = elimax.plan(ruled, X, hessian=True)
    assert plan.mirrored is None
    assert "star" not in dict(plan.modes)
    with pytest.raises(elimax.ModeError, match="custom_jvp"):
        elimax.hessian(ruled, order=plan.with_mode("star"))(X)

    def several(x):
        return turns(x[:3] * x[3:6])

    with pytest.raises(elimax.ModeError, match="one real number"):
        elimax.hessian(several, order=elimax.plan(several, X, hessian=True).with_mode("star"))(X)
