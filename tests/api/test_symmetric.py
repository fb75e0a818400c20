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
    assert_trees_close(found, jax.hessian(fun, **options)(*args))


@pytest.mark.parametrize("name", ["neighbours", "two arguments"])
def test_batches_single_precision_and_third_derivatives(name):
    fun, args, options = CASES[name]
    expected = jax.hessian(fun, **options)
    found = elimax.hessian(fun, **options)
    batch = jax.tree.map(lambda x: jnp.stack([x, 0.5 * x, -x]), args)
    assert_trees_close(jax.jit(jax.vmap(found))(*batch), jax.vmap(expected)(*batch))
    single = jax.tree.map(lambda x: x.astype(jnp.float32), args)
    assert_trees_close(jax.jit(found)(*single), expected(*single), eps=np.finfo(np.float32).eps)

    def total(hess: Any) -> Any:
        return lambda *args: sum(
            jnp.sum(jnp.sin(b) * jnp.cos(jnp.arange(b.size).reshape(b.shape))) for b in hess(*args)
        )

    leaves = [lambda *args, h=h: jax.tree.leaves(h(*args)) for h in (found, expected)]
    assert_trees_close(jax.grad(total(leaves[0]))(*args), jax.grad(total(leaves[1]))(*args), eps=1e-13)


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
    evaluation = sys.modules["elimax.execute.evaluate"]
    monkeypatch.setattr(evaluation, "mirrored", lambda edges, keys, symmetry, diagonals: edges)
    whole = jax.jit(elimax.hessian(fun, (0, 1), form="plain")).lower(*args).compile()
    assert multiplications(half) < 0.9 * multiplications(whole)


@jax.custom_jvp
def odd(x):
    return x**2


odd.defjvp(lambda primals, tangents: (odd(*primals), tangents[0] * primals[0] * primals[0][::-1]))


def test_rules_of_users_are_not_mirrored(turned):
    def fun(x):
        return jnp.sum(odd(x) * X)

    expected = jax.hessian(fun)(X)
    assert not np.allclose(expected, expected.T)  # the rule is that of no function
    assert_trees_close(elimax.hessian(fun)(X), expected)
    assert_trees_close(elimax.hessian(fun, output="bcoo")(X), expected)
    assert not turned


@pytest.mark.standard_promotion
def test_other_dtypes_beside():
    def fun(x, y):
        return jnp.sum(x[1:] * x[:-1] ** 2) + jnp.sum(y.astype(x.dtype) ** 2 * x)

    args = X.astype(jnp.float32), Y
    found = elimax.hessian(fun, (0, 1))(*args)
    expected = jax.hessian(fun, (0, 1))(*args)
    assert jax.tree.map(lambda x: x.dtype, found) == jax.tree.map(lambda x: x.dtype, expected)
    assert_trees_close(found, expected, eps=np.finfo(np.float32).eps)
