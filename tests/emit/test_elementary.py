"""Vectorisable elementary functions: accuracy over all arguments, and Jacobians that use them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax
from elimax import zoo
from elimax._jax import trace
from elimax.emit.elementary import FUNCTIONS, function
from elimax.emit.scalarise import scalarise
from elimax.emit.vectorise import vectorise
from tests.emit.accuracy import (
    CASES,
    MOST,
    NUM_ARGUMENTS,
    SPECIAL,
    WIDER,
    compiled,
    errors,
    exact_reference,
    largest,
    limit,
    multiples,
    ordinary,
    patterns,
)
from tests.emit.test_forms import close, spread

BULK = [
    case
    for case in CASES
    if case[0] in WIDER and (case[1] == "float32" or np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant)
]
"""Cases for which the machine has wider arithmetic."""


@pytest.mark.parametrize(("name", "dtype"), BULK)
def test_bit_patterns(name, dtype):
    count = NUM_ARGUMENTS.get(name, 1)
    error, where = largest(name, dtype, [patterns(dtype, 1 << 20, seed) for seed in range(count)])
    assert error <= MOST.get(name, 2.0), where


@pytest.mark.parametrize(("name", "dtype"), BULK)
def test_ordinary_arguments(name, dtype):
    error, where = largest(name, dtype, ordinary(name, dtype, 1 << 18, 1))
    assert error <= MOST.get(name, 2.0), where


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_against_many_digits(name, dtype):
    args = [np.concatenate([a, a * np.asarray(1e-3, dtype)]) for a in ordinary(name, dtype, 500, 2)]
    found = errors(compiled(name)(*args), exact_reference(name, args))
    assert found.max() <= MOST.get(name, 2.0), [a[found.argmax()] for a in args]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_next_to_multiples_of_half_pi(name, dtype):
    x = multiples(np.dtype(dtype).type, limit(name, dtype))
    x = x[:: max(1, len(x) // 1000)]
    found = errors(compiled(name)(x), exact_reference(name, [x]))
    assert found.max() <= MOST.get(name, 2.0), x[found.argmax()]


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_special_values_are_those_of_the_c_library(name, dtype):
    info = np.finfo(dtype)
    values = np.array([*SPECIAL, info.tiny, -info.tiny, info.smallest_subnormal, info.max, -info.max, info.eps], dtype)
    args = [x.ravel() for x in np.meshgrid(*[values] * NUM_ARGUMENTS.get(name, 1))]
    inside = np.abs(args[0]) <= limit(name, dtype) if limit(name, dtype) < np.inf else np.full(args[0].shape, True)
    inside |= ~np.isfinite(args[0])
    args = [x[inside] for x in args]
    if name == "erf":
        expected = np.vectorize(math.erf)(*args)
    else:
        with np.errstate(all="ignore"):
            expected = WIDER[name](*args)
    actual = np.asarray(compiled(name)(*args))
    flushed = (np.abs(expected) < info.tiny) & (actual == 0)
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    same = np.where(flushed, 0, expected)
    np.testing.assert_allclose(actual, same, rtol=4 * info.eps, atol=0)
    ordered = ~np.isnan(actual)
    np.testing.assert_array_equal(np.signbit(actual)[ordered], np.signbit(expected)[ordered])


@pytest.mark.parametrize(
    "name", ["robot_arm_6dof", "black_scholes_jacobian", "human_heart_dipole", "lighthouse", "hole"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_zoo(name, dtype):
    problem = zoo.get(name, dtype=dtype)
    args = spread(problem, (5,))
    own = elimax.jacobian(problem.fun, problem.argnums, form="loop", elementary="vector")
    close(jax.jit(jax.vmap(own))(*args), jax.jit(jax.vmap(jax.jacfwd(problem.fun, problem.argnums)))(*args), factor=400)


def every(x):
    """All functions that are replaced, and some that are not."""
    y = 0.5 * jnp.tanh(x)
    parts = [jnp.sin(x), jnp.cos(2 * x), jnp.tan(y), jnp.arcsin(y), jnp.arccos(y), jnp.arctan(x[::-1] * x)]
    parts += [jnp.arctan2(x, y + 1), (x**2 + 1) ** y, jnp.cbrt(x), lax.erf(x), jnp.exp(y)]
    return jnp.stack(parts) * x[0]


X = np.linspace(-2.0, 2.3, 14).reshape(7, 2)


def turned(x):
    """A few of them, for what compiles several times."""
    return jnp.stack([jnp.sin(x[0]) * jnp.cos(x[1]), jnp.arctan2(x[0], x[1])])


def both(fun):
    return elimax.jacobian(fun, form="loop", elementary="vector"), jax.jacfwd(fun)


@pytest.mark.parametrize("bits", [32, 64])
def test_all_functions(bits):
    own, expected = both(every)
    with jax.enable_x64(bits == 64):
        x = jnp.asarray(X, f"float{bits}")
        close(jax.jit(jax.vmap(own))(x), jax.jit(jax.vmap(expected))(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_jit_vmap_and_scan(dtype):
    own, expected = both(turned)
    x = jnp.asarray(X, dtype)
    close(jax.jit(own)(x[0]), expected(x[0]))
    nested = x.reshape(7, 1, 2) + jnp.zeros((1, 3, 1), dtype)
    close(jax.jit(jax.vmap(jax.vmap(own)))(nested), jax.jit(jax.vmap(jax.vmap(expected)))(nested))

    def steps(jacobian):
        return lambda x: lax.scan(lambda c, _: (c - 0.01 * jax.vmap(jacobian)(c)[:, 0], None), x, None, length=3)[0]

    close(jax.jit(steps(own))(x), steps(expected)(x))


def test_derivatives_and_hessian():
    x = jnp.asarray(X)
    own, expected = both(turned)

    def loss(jacobian):
        return lambda x: jnp.sum(jax.vmap(jacobian)(x) ** 2)

    close(jax.jit(jax.grad(loss(own)))(x), jax.jit(jax.grad(loss(expected)))(x))
    scalar = lambda x: jnp.sum(turned(x))  # noqa: E731
    hessian = elimax.hessian(scalar, form="loop", elementary="vector")
    close(jax.jit(jax.vmap(hessian))(x), jax.jit(jax.vmap(jax.hessian(scalar)))(x))
    actual = jax.jit(jax.vmap(elimax.value_and_jacobian(turned, form="loop", elementary="vector")))(x)
    close(actual, (jax.jit(jax.vmap(turned))(x), jax.jit(jax.vmap(expected))(x)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arguments_beyond_the_limit(dtype):
    def f(x):
        return jnp.stack([jnp.sin(x[0]) * x[1], jnp.cos(x[0]), jnp.tan(x[0] * x[1])])

    top = float(jnp.finfo(dtype).max)
    x = jnp.array([[0.5, 2.0], [top / 2, 1.0], [-1e22, 1.0], [jnp.inf, 1.0], [jnp.nan, 1.0], [3e8, 0.25]], dtype)
    own = lambda elementary: jax.jit(jax.vmap(elimax.jacobian(f, form="loop", elementary=elementary)))  # noqa: E731
    close(own("vector")(x), own("exact")(x), factor=0)
    kept = x[jnp.array([0, 3, 4])]
    close(own("vector")(kept), own("exact")(kept))


def test_what_is_replaced():
    closed = trace(lambda x: [every(x), jnp.sin(np.float64(2.0)) * x], [jnp.asarray(X[0])])
    program = scalarise(closed)
    vector, limits = vectorise(program)
    assert {step.name for step in vector.steps}.isdisjoint(FUNCTIONS.keys() - {"sin"})
    assert set(limits.values()) == {1e6}
    assert [step.result for step in vector.steps] == [step.result for step in program.steps]
    assert function("erf", np.float32) is None  # XLA has vector code for it
    assert function("exp", np.float64) is None


def test_unknown_option():
    for method in (elimax.jacobian, elimax.value_and_jacobian, elimax.hessian):
        with pytest.raises(ValueError, match="elementary must be one of 'exact', 'vector', got 'fast'"):
            method(every, elementary="fast")


def test_auto_takes_them_where_they_gain():
    problem = zoo.get("hole")
    own = jax.vmap(elimax.jacobian(problem.fun, problem.argnums, elementary="vector"))
    large = jax.jit(own).lower(*spread(problem, (100_000,))).as_text()
    small = jax.jit(own).lower(*spread(problem, (2,))).as_text()
    assert "stablehlo.reduce" in large
    assert "stablehlo.round_nearest_even" in large
    assert "stablehlo.round_nearest_even" not in small
