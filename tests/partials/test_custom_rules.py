"""Users' derivative rules hold for every derivative, not just for the first.

Rules that do not fit their function tell. In loops JAX's own modes differ: reverse mode forgets a rule the second time.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax


@jax.custom_jvp
def clipped(x):
    return jnp.clip(x, 0.0, 6.0)


clipped.defjvp(lambda primals, tangents: (clipped(*primals), 7.0 * tangents[0]))


@jax.custom_vjp
def halved(x):
    return x * 0.5


halved.defvjp(lambda x: (halved(x), x), lambda x, g: (3.0 * x * g,))


def squared(x):
    return clipped(x) ** 2


def nested(x):
    return clipped(jnp.sin(clipped(x)) * x[::-1])


def in_branch(x):
    return jax.lax.cond(x[0] > 0, lambda x: clipped(x) ** 3, jnp.sin, x)


def jitted(x):
    return jax.jit(clipped)(x * x) * x


def backward(x):
    return halved(x) ** 2 + jnp.sum(halved(x))


X = jnp.array([0.7, 0.3, 1.1])


@pytest.mark.parametrize("form", ["auto", "plain", "loop"])
@pytest.mark.parametrize("fun", [squared, nested, in_branch, jitted])
def test_rules_hold_for_second_derivatives(fun, form):
    def jacobian(x):
        return elimax.jacobian(fun, form=form)(x)

    expected = jax.jit(jax.jacfwd(jax.jacfwd(fun)))(X)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(jacobian))(X), expected, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(jacobian))(X), expected, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.jacfwd(jacobian)))(X[None])[0], expected, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(elimax.hessian(fun, form=form))(X), expected, rtol=1e-12)
    third = jax.jit(jax.jacfwd(jax.jacfwd(jax.jacfwd(fun))))(X)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(elimax.hessian(fun, form=form)))(X), third, rtol=1e-12)


@pytest.mark.parametrize("fun", [squared, nested, in_branch, jitted, backward])
def test_rules_hold_for_values(fun):
    def value(x):
        return elimax.value_and_jacobian(fun)(x)[0]

    mode = jax.jacrev if fun is backward else jax.jacfwd
    np.testing.assert_allclose(mode(value)(X), mode(fun)(X), rtol=1e-12)
    np.testing.assert_allclose(jax.jit(mode(value))(X), mode(fun)(X), rtol=1e-12)


def test_rules_hold_for_arguments_that_are_not_differentiated_first():
    def fun(x, p):
        return x * clipped(p) + jnp.sum(x**2)

    def mixed(jacobian):
        return jax.jacfwd(lambda p: jacobian(fun, 0)(X, p))(X)

    np.testing.assert_allclose(mixed(elimax.jacobian), mixed(jax.jacfwd), rtol=1e-12)
    assert np.any(np.asarray(mixed(jax.jacfwd)) == 7.0)


def test_rules_hold_for_what_a_function_closes_over():
    def mixed(jacobian):
        return jax.jacfwd(lambda p: jacobian(lambda x: x * clipped(p))(X))(X)

    np.testing.assert_allclose(mixed(elimax.jacobian), mixed(jax.jacfwd), rtol=1e-12)


def test_rules_of_jax_stay_for_higher_derivatives():
    def fun(x):
        return jax.nn.relu(x) * jax.nn.softplus(x) + jax.scipy.special.logsumexp(x)

    x = jnp.array([0.0, -2.0, 3.0])
    expected = jax.jit(jax.jacfwd(jax.jacfwd(fun)))(x)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(elimax.jacobian(fun)))(x), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(jax.jit(elimax.hessian(fun))(x), expected, rtol=1e-12, atol=1e-14)
