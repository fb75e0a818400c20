"""The form that is one kernel: right wherever it is asked for, and what it refuses."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax
from elimax import zoo
from elimax._jax import trace
from elimax.emit import kernel
from elimax.emit.scalarise import scalarise
from elimax.emit.scalars import evaluate


def close(actual, expected, factor=400):
    """Equal trees of arrays of equal dtypes, up to rounding errors relative to the largest entry."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    scale = max(float(np.max(np.abs(leaf))) for leaf in jax.tree.leaves(expected))
    for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert (a.shape, a.dtype) == (e.shape, e.dtype)
        tolerance = factor * float(jnp.finfo(e.dtype).eps)
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance * scale)


def dynamics(x, rates):
    a, b, c = x
    slow, fast, back = rates[0] * a, jnp.exp(rates[1] * b) * b, rates[2] * jnp.sin(b) * c / (1 + a * a)
    return jnp.stack([back - slow, slow - back - fast, fast])


def step(x, rates, h=0.01):
    k1 = dynamics(x, rates)
    k2 = dynamics(x + h / 2 * k1, rates)
    return x + h * dynamics(x + h * (2 * k2 - k1), rates)


X, RATES = jnp.array([0.9, 0.3, 0.2]), jnp.array([0.4, 0.7, 1.1])


def carried(maker, x):
    """State and sensitivity after some steps."""
    jacobian = maker(step)

    def turn(carry, _):
        x, s = carry
        return (step(x, RATES), jacobian(x, RATES) @ s), None

    return lax.scan(turn, (x, jnp.eye(3, dtype=x.dtype)), None, length=5)[0]


@pytest.mark.parametrize("form", ["auto", "kernel"])
def test_in_loops(form):
    maker = functools.partial(elimax.jacobian, form=form)
    close(jax.jit(functools.partial(carried, maker))(X), carried(jax.jacfwd, X))
    points = X * jnp.linspace(0.5, 1.5, 12).reshape(4, 3)
    close(
        jax.jit(jax.vmap(functools.partial(carried, maker)))(points),
        jax.jit(jax.vmap(lambda x: carried(jax.jacfwd, x)))(points),
    )


def test_derivatives_of_loops():
    def loss(maker):
        return lambda x: jnp.sum(jnp.cos(carried(maker, x)[1]))

    own = functools.partial(elimax.jacobian, form="kernel")
    close(jax.jit(jax.grad(loss(own)))(X), jax.jit(jax.grad(loss(jax.jacfwd)))(X))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["robot_arm_6dof", "hires", "human_heart_dipole"])
def test_problems(name, dtype):
    problem = zoo.get(name, dtype=dtype)
    own = jax.jit(elimax.jacobian(problem.fun, problem.argnums, form="kernel"))(*problem.args)
    close(own, jax.jit(jax.jacfwd(problem.fun, problem.argnums))(*problem.args))


@pytest.mark.parametrize("layout", ["batch-first", "batch-last"])
@pytest.mark.parametrize("axes", [(0, 0), (0, None), (1, None)])
def test_batches(axes, layout):
    x = jnp.broadcast_to(X, (4, 3)) * jnp.linspace(1, 2, 4)[:, None]
    args = (x.T if axes[0] else x, RATES if axes[1] is None else jnp.broadcast_to(RATES, (4, 3)))
    own = jax.jit(jax.vmap(elimax.jacobian(step, (0, 1), form="kernel", layout=layout), axes))(*args)
    plain = jax.jit(jax.vmap(elimax.jacobian(step, (0, 1), form="plain", layout=layout), axes))(*args)
    close(own, plain)


UNARY = (
    "abs acos acosh asin asinh atan atanh cbrt ceil cos cosh digamma erf erf_inv erfc exp exp2 expm1 floor lgamma log "
    "log1p logistic neg round rsqrt sign sin sinh sqrt square tan tanh"
).split()
BINARY = "add atan2 div igamma igammac max min mul nextafter pow rem sub".split()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_operation_compiles(dtype):
    x = jnp.asarray([0.3, 0.6], dtype)

    def operations(x):
        found = [getattr(lax, name)(x) for name in UNARY if name != "acosh"]
        found += [lax.acosh(1 + x)] + [getattr(lax, name)(x, x[::-1]) for name in BINARY]
        found += [jnp.where(x > 0.5, x, 2 * x), lax.integer_pow(x, 3), x.astype(np.int32).astype(dtype)]
        return jnp.stack(found)

    program = scalarise(trace(lambda x: [operations(x)], [x]))
    assert program is not None
    assert kernel.fits(program)
    (found,) = jax.jit(kernel.kernel(program, (), []))(x)
    np.testing.assert_allclose(found, jax.jit(operations)(x), rtol=1e-5 if dtype == "float32" else 1e-12)


def test_many_points_and_constant_arguments_compile():
    """XLA would share the work of a larger kernel among cores, and ends the process where an argument is a constant."""
    weights = jnp.asarray(np.random.default_rng(0).normal(size=(40, 40)) / 40)

    def fun(x, p, w):
        return jnp.sum(w * jnp.tanh(x[:, None] * p[0] + w * p[1]), axis=1)

    def steps(jacobian):
        def step(x, _):
            return 0.9 * x + 1e-3 * jnp.sum(jacobian(x, jnp.array([0.9, 0.1]), weights), axis=1), None

        return lambda x: lax.scan(step, x, None, length=3)[0]

    own, jacs = steps(elimax.jacobian(fun, 1, form="kernel")), steps(jax.jacfwd(fun, 1))
    x = jnp.linspace(0.0, 1.0, 40)
    close(jax.jit(own)(x), jacs(x))
    many = jnp.ones((300, 1)) * x
    close(jax.jit(jax.vmap(own))(many), jax.jit(jax.vmap(jacs))(many))


def test_no_kernel_for_large_or_mixed_results():
    large = scalarise(trace(lambda x: [jnp.outer(x, x)], [jnp.ones(12)]))
    mixed = scalarise(trace(lambda x: [x * 2, (x > 1).astype(np.int32)], [jnp.ones(2)]))
    small = scalarise(trace(lambda x: [x * 2], [jnp.ones(2)]))
    assert large is not None
    assert mixed is not None
    assert small is not None
    assert not kernel.fits(large)
    assert not kernel.fits(mixed)
    assert kernel.fits(small, 100)
    assert not kernel.fits(small, 100_000)
    assert not kernel.fits(small, 1, behind=True)
    close(jax.jit(elimax.jacobian(lambda x: x**3, form="kernel"))(jnp.ones(12)), 3 * jnp.eye(12))


def test_long_programs_in_loops_take_one_kernel():
    program = scalarise(trace(lambda x, r: jax.tree.leaves(jax.jacfwd(step)(x, r)), [X, RATES]))
    assert program is not None
    assert len(program.steps) > 100
    text = jax.jit(functools.partial(carried, elimax.jacobian)).lower(X).as_text()
    assert "xla_cpu_small_call" in text
    many = jax.vmap(elimax.jacobian(step), (0, None))
    assert "xla_cpu_small_call" not in jax.jit(many).lower(jnp.ones((100_000, 3)), RATES).as_text()


@pytest.mark.parametrize("mode", ["drop", "clip", None])
def test_scatters_that_add_are_sums(mode):
    places = np.array([0, 2, 2, 7, 1, 2])

    def fun(x, y):
        return [(x + 0.0).at[places].add(y, mode=mode), jnp.zeros(3, x.dtype).at[places].add(2 * y, mode=mode)]

    x, y = jnp.arange(1.0, 4.0), jnp.arange(6.0) / 7
    program = scalarise(trace(fun, [x, y]))
    assert program is not None
    values = {int(i): v for ids, a in zip(program.inputs, (x, y), strict=True) for i, v in zip(ids, a, strict=True)}
    found = evaluate(program, values, [int(i) for ids in program.outputs for i in ids])
    np.testing.assert_allclose(np.array(found), np.concatenate(fun(x, y)), rtol=1e-6)


def test_places_that_are_not_known_resist():
    assert scalarise(trace(lambda x, i: [x.at[i].add(x[0])], [X, jnp.array([1, 1])])) is None


def test_known_numbers_are_folded():
    def fun(x):
        return [(x * 1.0 + 0.0) - 0.0 * np.float64(3.0), x * (np.float64(2.0) * jnp.ones(3) - 1.0)]

    program = scalarise(trace(fun, [X]))
    assert program is not None
    assert not program.steps
    for ids in program.outputs:
        np.testing.assert_array_equal(ids, program.inputs[0])


def test_infinite_factors_are_not_folded():
    program = scalarise(trace(lambda x: [x * 0.0], [X]))
    assert program is not None
    assert len(program.steps) == 3
