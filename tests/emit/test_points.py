"""The form that goes through points in one kernel: right wherever it is asked for, short, and what it refuses."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax

import elimax
from elimax import zoo
from elimax._jax import trace
from elimax.emit import points
from elimax.emit.model import DEFAULT, INLINE
from elimax.emit.scalarise import scalarise
from tests.emit.test_kernel import RATES, X, close, step

own_jacobian = functools.partial(elimax.jacobian, form="points")


def spread(problem, batch):
    """Arguments for some points near those of the problem."""
    factor = 1 + 0.01 * np.random.default_rng(0).uniform(-1, 1, batch)
    return [jnp.asarray(np.multiply.outer(factor, np.asarray(x)), x.dtype) for x in problem.args]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["robot_arm_6dof", "hires", "human_heart_dipole", "roe_flux_1d"])
def test_problems(name, dtype):
    problem = zoo.get(name, dtype=dtype)
    own = own_jacobian(problem.fun, problem.argnums)
    expected = jax.jacfwd(problem.fun, problem.argnums)
    factor = 1e5 if name == "roe_flux_1d" else 400  # that one subtracts numbers of a million
    close(jax.jit(own)(*problem.args), expected(*problem.args), factor)
    args = spread(problem, 21)
    close(jax.jit(jax.vmap(own))(*args), jax.jit(jax.vmap(expected))(*args), factor)


@pytest.mark.parametrize("layout", ["batch-first", "batch-last"])
@pytest.mark.parametrize("axes", [(0, 0), (0, None), (1, None), (None, 0)])
def test_batches(axes, layout):
    x = jnp.broadcast_to(X, (4, 3)) * jnp.linspace(1, 2, 4)[:, None]
    args = (
        X if axes[0] is None else x.T if axes[0] else x,
        RATES if axes[1] is None else jnp.broadcast_to(RATES, (4, 3)),
    )
    own = jax.jit(jax.vmap(own_jacobian(step, (0, 1), layout=layout), axes))(*args)
    close(own, jax.jit(jax.vmap(elimax.jacobian(step, (0, 1), form="plain", layout=layout), axes))(*args))


def test_several_batch_axes():
    x = X * jnp.linspace(0.5, 1.5, 6).reshape(2, 3, 1)
    rates = RATES * jnp.linspace(0.9, 1.1, 3)[:, None]
    own = jax.vmap(jax.vmap(own_jacobian(step)), (0, None))
    close(jax.jit(own)(x, rates), jax.jit(jax.vmap(jax.vmap(jax.jacfwd(step)), (0, None)))(x, rates))


def test_results_of_several_dtypes_and_known_ones():
    def fun(x, y):
        return {"wide": x[0] * x + 2.0, "short": y**2, "linear": 3.0 * x[::-1], "mixed": x[0] * y.astype(x.dtype)}

    args = jnp.array([0.4, 0.8]), jnp.array([0.5, 0.25, 2.0], jnp.float32)
    many = jax.tree.map(lambda x: jnp.stack([x, 2 * x, 3 * x]), args)
    for argnum in (0, 1):
        own, expected = own_jacobian(fun, argnum), jax.jacfwd(fun, argnum)
        close(jax.jit(own)(*args), expected(*args))
        close(jax.jit(jax.vmap(own))(*many), jax.jit(jax.vmap(expected))(*many))
    both = jax.jit(jax.vmap(own_jacobian(fun, (0, 1))))(*many)
    close(both["mixed"][1], jax.jit(jax.vmap(jax.jacfwd(fun, 1)))(*many)["mixed"])


def test_derivatives_and_loops():
    def loss(maker, x):
        return jnp.sum(jnp.cos(maker(step)(x, RATES)))

    def loop(maker, x):
        return lax.scan(lambda x, _: (0.9 * x + 0.1 * maker(step)(x, RATES)[0], None), x, None, length=4)[0]

    many = X * jnp.linspace(0.5, 1.5, 5)[:, None]
    for fun in (jax.grad(loss, 1), loop, jax.jacfwd(loop, 1)):
        expected, own = (jax.jit(functools.partial(fun, maker)) for maker in (jax.jacfwd, own_jacobian))
        close(own(X), expected(X), 4e3)
    own, expected = (jax.jit(jax.vmap(functools.partial(loop, maker))) for maker in (own_jacobian, jax.jacfwd))
    close(own(many), expected(many))


def test_arguments_that_are_known_and_exported_programs():
    """XLA ends the process where an argument of such a kernel is a constant."""
    own, many = own_jacobian(step, (0, 1)), jnp.ones((70, 3))
    expected = jax.jit(jax.vmap(jax.jacfwd(step, (0, 1))))(many, many)
    close(jax.jit(lambda x: jax.vmap(own)(x, jnp.ones((70, 3))))(many), expected)
    close(jax.jit(lambda: jax.vmap(own)(jnp.ones((70, 3)), jnp.ones((70, 3))))(), expected)
    kept = export.export(jax.jit(jax.vmap(own)))(*[jax.ShapeDtypeStruct(many.shape, many.dtype)] * 2)
    close(jax.jit(lambda x: kept.call(x, jnp.ones((70, 3))))(many), expected)


@pytest.mark.parametrize("name", ["roe_flux_1d", "robot_arm_6dof"])
def test_calls_are_short_as_xla_counts(name):
    """The thread that calls does such programs itself, whatever the number of points."""
    problem = zoo.get(name, dtype="float64")
    args = spread(problem, 50)

    def compiled(form):
        jacobian = elimax.jacobian(problem.fun, problem.argnums, form=form)
        return jax.jit(jax.vmap(jacobian)).lower(*args).compile()

    counted = {form: compiled(form).cost_analysis()["flops"] for form in ("plain", "points", "auto")}
    assert counted["points"] == counted["auto"] < INLINE < counted["plain"]


def test_functions_are_computed_once():
    def fun(x):
        y = jnp.sin(x[0])
        return jnp.stack([y * x[1], y + x[2] * x[1], y * y * x[2]])

    text = jax.jit(own_jacobian(fun)).lower(X).compile().as_text()
    assert text.count(" cosine(") == text.count(" sine(") == 1


def test_no_such_form_for_many_results():
    large = scalarise(trace(lambda x: [jnp.outer(x, x)], [jnp.ones(25)]))
    small = scalarise(trace(lambda x: [x * 2], [jnp.ones(2)]))
    assert large is not None
    assert small is not None
    assert not points.fits(large)
    assert points.fits(small, 10_000_000)
    assert points.fits(small, 10_000, behind=True)
    assert not points.fits(small, 10_000_000, behind=True)
    several = scalarise(trace(lambda x: [x * k for k in range(2, 12)], [jnp.ones(2)]))
    assert several is not None
    assert not points.fits(several, 10_000_000)
    close(jax.jit(own_jacobian(lambda x: jnp.outer(x, x)))(X), jax.jit(jax.jacfwd(lambda x: jnp.outer(x, x)))(X))


def test_batches_of_one_and_none():
    own = jax.jit(jax.vmap(own_jacobian(step), (0, None)))
    close(own(X[None], RATES), jax.jit(jax.jacfwd(step))(X, RATES)[None])
    assert own(jnp.ones((0, 3)), RATES).shape == (0, 3, 3)


def test_known_elements_of_large_results_are_fetched_again():
    program = scalarise(trace(lambda x: [elimax.jacobian(lambda x: jnp.sin(x) * x[0], form="plain")(x)], [jnp.ones(8)]))
    own = points.count(program)
    assert own.known == 64 - 15
    assert own.arrays == (8 * 64,)
    batch = points.MAX_BYTES // (8 * 64)
    step = [own.at(DEFAULT, n) for n in (batch - 1, batch, batch + 1)]
    assert step[2] - step[1] > 100 * (step[1] - step[0])
