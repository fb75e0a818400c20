"""Programs as users write them, with diffrax, optimistix, lineax and flax: ``jax.jacfwd`` gives way to elimax."""

from __future__ import annotations

import diffrax
import jax
import jax.numpy as jnp
import lineax
import numpy as np
import optimistix
import pytest
from flax import linen, nnx

import elimax
from elimax import zoo

pytestmark = pytest.mark.standard_promotion


def assert_same(actual, expected, tolerance=1e-10):
    """Same trees, same shapes and dtypes, same numbers up to the scale of each block."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert (a.shape, a.dtype) == (e.shape, e.dtype)
        scale = float(jnp.max(jnp.abs(e))) if e.size else 0.0
        np.testing.assert_allclose(a, e, rtol=0, atol=tolerance * (scale + 1e-30))


# --- diffrax ----------------------------------------------------------------------------------------------------------


def lotka_volterra(t, y, args):
    prey, predators = y["prey"], y["predators"]
    return {
        "prey": args[0] * prey - args[1] * prey * predators,
        "predators": args[2] * prey * predators - args[3] * predators,
    }


def populations(start, rates, adjoint):
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lotka_volterra),
        diffrax.Tsit5(),
        t0=0.0,
        t1=1.0,
        dt0=0.25,
        y0=start,
        args=rates,
        saveat=diffrax.SaveAt(ts=jnp.array([0.5, 1.0])),
        adjoint=adjoint,
        max_steps=16,
    )
    return solution.ys


START = {"prey": jnp.array([1.0, 2.0]), "predators": jnp.array([0.5, 0.8])}
RATES = jnp.array([1.1, 0.4, 0.1, 0.4])


@pytest.mark.slow
def test_diffrax_sensitivities_of_an_explicit_solve():
    def fun(start, rates):
        return populations(start, rates, diffrax.ForwardMode())

    expected = jax.jit(jax.jacfwd(fun, (0, 1)))(START, RATES)
    assert_same(jax.jit(elimax.jacobian(fun, (0, 1)))(START, RATES), expected)


@pytest.mark.slow
def test_diffrax_through_the_default_adjoint():
    def fun(start, rates):
        return populations(start, rates, diffrax.RecursiveCheckpointAdjoint())

    # This adjoint has no forward mode.
    expected = jax.jit(jax.jacrev(fun, (0, 1)))(START, RATES)
    assert_same(jax.jit(elimax.jacobian(fun, (0, 1)))(START, RATES), expected)


def test_diffrax_implicit_solve_of_stiff_kinetics():
    problem = zoo.get("robertson")

    def concentrations(start, rates):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, args: problem.fun(y, args)),
            diffrax.ImplicitEuler(root_finder=diffrax.VeryChord(rtol=1e-10, atol=1e-10)),
            t0=0.0,
            t1=3e-3,
            dt0=1e-3,
            y0=start,
            args=rates,
            adjoint=diffrax.ForwardMode(),
            max_steps=4,
        )
        return solution.ys[0]

    args = (jnp.array([1.0, 1e-5, 0.0]), jnp.asarray(problem.args[1]))
    expected = jax.jit(jax.jacfwd(concentrations, (0, 1)))(*args)
    assert_same(jax.jit(elimax.jacobian(concentrations, (0, 1)))(*args), expected)


def rosenbrock_steps(jacobian, fun, state, step, count):
    """Rosenbrock's method of order 2 with the user's own Jacobian of the vector field in every step."""
    gamma = 1.0 - 0.5 * 2.0**0.5

    def advance(state, _):
        system = jnp.eye(state.size) - gamma * step * jacobian(fun)(state)
        k1 = jnp.linalg.solve(system, fun(state))
        k2 = jnp.linalg.solve(system, fun(state + step * k1) - 2.0 * k1)
        return state + step * (1.5 * k1 + 0.5 * k2), None

    return jax.lax.scan(advance, state, None, length=count)[0]


@pytest.mark.parametrize("name", ["hires", "brusselator_1d"])
def test_a_rosenbrock_solver_of_the_user(name):
    problem = zoo.get(name)
    start = jnp.asarray(problem.args[0])

    def rate(flat):
        return problem.fun(flat.reshape(start.shape)).ravel()

    ends = [
        jax.jit(lambda state, make=make: rosenbrock_steps(make, rate, state, 1e-3, 5))(start.ravel())
        for make in (elimax.jacobian, jax.jacfwd)
    ]
    assert_same(*ends)


# --- optimistix, lineax -----------------------------------------------------------------------------------------------


def test_optimistix_root_depends_on_its_parameters():
    def equilibrium(parameters):
        def equations(y, args):
            return (y[0] ** 3 + args[0] * y[1] - 1.0, args[1] * y[0] - jnp.cos(y[1]))

        solver = optimistix.Newton(rtol=1e-12, atol=1e-12)
        return optimistix.root_find(equations, solver, (jnp.array(0.5), jnp.array(0.5)), parameters).value

    parameters = jnp.array([0.7, 1.2])
    assert_same(jax.jit(elimax.jacobian(equilibrium))(parameters), jax.jit(jax.jacfwd(equilibrium))(parameters), 1e-9)


def test_optimistix_covariance_at_a_least_squares_fit():
    problem = zoo.get("gaussian_data_fitting")

    def residuals(parameters, args):
        del args
        return problem.fun(parameters)

    solver = optimistix.LevenbergMarquardt(rtol=1e-8, atol=1e-8)
    fit = optimistix.least_squares(residuals, solver, jnp.asarray(problem.args[0]), max_steps=100)

    def covariance(make):
        jacobian = jax.jit(make(lambda p: residuals(p, None)))(fit.value)
        return jnp.linalg.inv(jacobian.T @ jacobian)

    assert_same(covariance(elimax.jacobian), covariance(jax.jacfwd), 1e-9)


def test_gauss_newton_of_the_user_inside_jit():
    problem = zoo.get("gaussian_data_fitting")

    def fit(make):
        def improve(_, parameters):
            jacobian, residual = make(problem.fun)(parameters), problem.fun(parameters)
            damped = jacobian.T @ jacobian + 1e-3 * jnp.eye(parameters.size)
            return parameters - jnp.linalg.solve(damped, jacobian.T @ residual)

        return jax.jit(lambda start: jax.lax.fori_loop(0, 8, improve, start))(jnp.asarray(problem.args[0]))

    assert_same(fit(elimax.jacobian), fit(jax.jacfwd))


def test_lineax_solution_depends_on_matrix_and_right_side():
    def solution(matrix, vector):
        operator = lineax.MatrixLinearOperator(matrix @ matrix.T + 3.0 * jnp.eye(4), lineax.positive_semidefinite_tag)
        return lineax.linear_solve(operator, jnp.sin(vector), lineax.Cholesky()).value

    rng = np.random.default_rng(0)
    args = (jnp.asarray(rng.standard_normal((4, 4))), jnp.asarray(rng.standard_normal(4)))
    assert_same(jax.jit(elimax.jacobian(solution, (0, 1)))(*args), jax.jit(jax.jacfwd(solution, (0, 1)))(*args))


# --- flax -------------------------------------------------------------------------------------------------------------


class Block(nnx.Module):
    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.first = nnx.Linear(3, width, rngs=rngs)
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.second = nnx.Linear(width, 2, rngs=rngs)

    def __call__(self, x):
        return self.second(nnx.gelu(self.norm(self.first(x))))


def test_flax_nnx_jacobians_by_input_and_by_parameters():
    graph, state = nnx.split(Block(8, rngs=nnx.Rngs(0)))
    x = jnp.array([0.3, -0.2, 0.9], jnp.float32)

    def apply(state, x):
        return nnx.merge(graph, state)(x)

    expected = jax.jit(jax.jacrev(apply, (0, 1)))(state, x)
    assert_same(jax.jit(elimax.jacobian(apply, (0, 1)))(state, x), expected, 2e-6)


class Convolutional(linen.Module):
    @linen.compact
    def __call__(self, image):
        hidden = linen.relu(linen.Conv(4, (3, 3))(image))
        pooled = linen.avg_pool(hidden, (2, 2), strides=(2, 2))
        return linen.Dense(3)(pooled.reshape(-1))


def test_flax_linen_saliency_and_parameter_jacobian():
    image = jnp.asarray(np.random.default_rng(0).standard_normal((6, 6, 1)), jnp.float32)
    model = Convolutional()
    variables = model.init(jax.random.key(0), image)
    args = (variables, image)
    expected = jax.jit(jax.jacrev(model.apply, (0, 1)))(*args)
    assert_same(jax.jit(elimax.jacobian(model.apply, (0, 1)))(*args), expected, 5e-6)
