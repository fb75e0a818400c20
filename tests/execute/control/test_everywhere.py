"""Data-dependent loops under values, gradients and second derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax
from tests.agreement import assert_trees_close


def kepler(v):
    """The eccentric anomaly by Newton's method, which takes as many turns as it needs."""
    mean, eccentricity = v[0], v[1]

    def step(state):
        anomaly, _ = state
        change = (anomaly - eccentricity * jnp.sin(anomaly) - mean) / (1 - eccentricity * jnp.cos(anomaly))
        return anomaly - change, change

    return lax.while_loop(lambda s: jnp.abs(s[1]) > 1e-12, step, (mean, jnp.ones_like(mean)))[0]


def adaptive(y, p):
    """A predator and its prey by Euler's and Heun's method, whose difference sets the step."""

    def slope(y):
        return jnp.stack([p[0] * y[0] - p[1] * y[0] * y[1], p[1] * y[0] * y[1] - p[2] * y[1]])

    def step(state):
        t, y, h = state
        h = jnp.minimum(h, 1 - t)
        first = slope(y)
        second = slope(y + h * first)
        error = jnp.sqrt(jnp.mean((h * (second - first)) ** 2)) / 2e-2
        good = error <= 1
        after = h * jnp.clip(0.9 / jnp.sqrt(error + 1e-12), 0.3, 3.0)
        return jnp.where(good, t + h, t), jnp.where(good, y + h * (first + second) / 2, y), after

    return lax.while_loop(lambda s: s[0] < 1, step, (jnp.zeros(()), y, jnp.asarray(0.9)))[1]


V = jnp.array([1.0, 0.3])
STATE, RATES = jnp.array([1.0, 0.8]), jnp.array([1.5, 1.2, 2.0])


def forward(fun):
    return jax.jit(jax.jacfwd(fun))


def test_gradients_where_jax_has_none():
    with pytest.raises(ValueError, match="Reverse-mode"):
        jax.grad(kepler)(V)
    gradient = jax.grad(elimax.coarsen(kepler))
    assert_trees_close(gradient(V), forward(kepler)(V))
    many = jnp.stack([V, 2 * V, 0.1 * V])
    assert_trees_close(jax.jit(jax.vmap(gradient))(many), jax.jit(jax.vmap(jax.jacfwd(kepler)))(many))
    value, pull = jax.vjp(elimax.coarsen(kepler), V)
    assert_trees_close((value, pull(jnp.ones(()))[0]), (kepler(V), forward(kepler)(V)))


def test_values_and_jacobians_of_an_adaptive_integrator():
    found = jax.jit(elimax.value_and_jacobian(adaptive, (0, 1), order="reverse"))(STATE, RATES)
    assert_trees_close(found, (adaptive(STATE, RATES), jax.jit(jax.jacfwd(adaptive, (0, 1)))(STATE, RATES)), eps=1e-14)

    def loss(fun):
        return lambda p: jnp.sum(fun(STATE, p) ** 2)

    assert_trees_close(jax.jit(jax.grad(loss(elimax.coarsen(adaptive))))(RATES), forward(loss(adaptive))(RATES))


def test_second_derivatives():
    expected = jax.jit(jax.jacfwd(jax.jacfwd(kepler)))(V)
    coarse = elimax.coarsen(kepler)
    for second in (elimax.hessian(kepler), jax.hessian(coarse), elimax.jacobian(elimax.jacobian(kepler))):
        assert_trees_close(jax.jit(second)(V), expected)


def test_points_with_very_different_numbers_of_turns():
    def grown(x):
        return lax.while_loop(lambda s: s[0] < 1e3, lambda s: (s[0] * x + 1, jnp.sqrt(s[0] + s[1]) + 1 / x), (x, x))[1]

    points = jnp.array([1.001, 2.0, 10.0, 900.0, 5000.0])
    expected = jax.jit(jax.vmap(jax.jacfwd(grown)))(points)
    assert np.isfinite(expected).all()
    assert_trees_close(jax.jit(jax.vmap(elimax.jacobian(grown)))(points), expected)
    assert_trees_close(jax.jit(jax.vmap(jax.grad(elimax.coarsen(grown))))(points), expected)


def test_the_number_of_turns_and_predicates_have_derivative_zero():
    def counted(x):
        return lax.while_loop(lambda s: s[0] < 10, lambda s: (s[0] * 2, s[1] + 1), (x, jnp.zeros(())))[1]

    assert elimax.jacobian(counted)(1.5) == jax.jit(jax.jacfwd(counted))(1.5) == 0


@pytest.mark.parametrize("kind", ["scan", "while", "integers"])
def test_rules_and_turns_that_compute_values_beside_tangents(kind):
    """One loop of JAX's computes both; what reads the values does not see the tangents."""

    def settle(x):
        turn = lambda c: jnp.cos(c) * x  # noqa: E731
        if kind == "scan":
            return lax.scan(lambda c, _: (turn(c), None), x, None, length=3)[0]
        return lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, turn(s[1])), (0, x))[1]

    @jax.custom_jvp
    def rule(x):
        return jnp.sin(settle(x))

    @rule.defjvp
    def _(primals, tangents):
        s, ds = jax.jvp(settle, primals, tangents)
        return jnp.sin(s), jnp.cos(s) * ds

    def counted(x):
        rows = jnp.outer(jnp.arange(1.0, 3.0), x), jnp.arange(2)
        (s, k), ys = lax.scan(lambda c, r: ((jnp.cos(c[0]) * r[0], c[1] + r[1]), c[0]), (x, 0), rows)
        return jnp.sin(s) * ys[1] * k.astype(x.dtype)

    fun = counted if kind == "integers" else lambda x: rule(x) * x
    x = jnp.array([0.3, 0.4])
    for ours in (fun, elimax.coarsen(fun)):
        assert_trees_close(elimax.jacobian(ours)(x), jax.jit(jax.jacfwd(fun))(x))


def test_a_plan_serves_dense_and_sparse_results():
    plan = elimax.plan(kepler, V)
    assert_trees_close(elimax.jacobian(kepler, order=plan)(V), forward(kepler)(V))
    assert_trees_close(elimax.jacobian(kepler, output="bcoo")(V).todense(), forward(kepler)(V))


@pytest.mark.parametrize(
    ("body", "error"),
    [(lambda x: x.astype(jnp.float32), TypeError), (lambda x: jnp.stack([x, x]), TypeError)],
)
def test_a_body_that_changes_what_it_carries_is_refused_as_by_jax(body, error):
    fun = lambda x: lax.while_loop(lambda s: jnp.sum(s) < 3, body, x)  # noqa: E731
    with pytest.raises(error, match="equal types"):
        elimax.jacobian(fun)(jnp.ones(()))


def test_side_effects_stay_where_they_are():
    seen = []

    def fun(x):
        def turn(_, s):
            jax.debug.callback(lambda v: seen.append(float(v)), s)
            return jnp.sin(s) * x

        return lax.fori_loop(0, 2, turn, x)

    found = elimax.jacobian(fun)(0.5)
    jax.effects_barrier()
    assert len(seen) >= 2
    assert_trees_close(found, jax.jit(jax.jacfwd(lambda x: jnp.sin(jnp.sin(x) * x) * x))(0.5))
