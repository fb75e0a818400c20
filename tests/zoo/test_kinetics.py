"""Stiff kinetics against published concentrations late in the reaction, and against conservation."""

from __future__ import annotations

import jax
import numpy as np
import scipy.integrate

from elimax import zoo


def integrate(fun, start, end):
    rate, jacobian = jax.jit(fun), jax.jit(jax.jacfwd(fun))
    solution = scipy.integrate.solve_ivp(
        lambda t, y: np.array(rate(y)), (0.0, end), start, "Radau", jac=lambda t, y: np.array(jacobian(y)),
        rtol=1e-8, atol=1e-12,
    )  # fmt: skip
    return solution.y[:, -1]


def test_robertson():
    problem = zoo.get("robertson")
    rates = problem.args[1]
    np.testing.assert_allclose(np.sum(problem.fun(*problem.args)), 0.0, atol=1e-12)
    end = integrate(lambda y: problem.fun(y, rates), np.array([1.0, 0.0, 0.0]), 40.0)
    # A. C. Hindmarsh and G. D. Byrne's example of LSODE: the state at t = 40.
    np.testing.assert_allclose(end, [7.158e-1, 9.185e-6, 2.842e-1], rtol=2e-4)


def test_hires():
    problem = zoo.get("hires")
    start = np.array([1.0, 0, 0, 0, 0, 0, 0, 0.0057])
    end = integrate(problem.fun, start, 321.8122)
    # E. Hairer and G. Wanner, Solving Ordinary Differential Equations II: the state at t = 321.8122.
    published = [
        0.7371312573325668e-3, 0.1442485726316185e-3, 0.5888729740967575e-4, 0.1175651343283149e-2,
        0.2386356198831331e-2, 0.6238968252742796e-2, 0.2849998395185769e-2, 0.2850001604814231e-2,
    ]  # fmt: skip
    np.testing.assert_allclose(end, published, rtol=1e-5)
    rates = np.array(problem.fun(problem.args[0]))
    assert rates[6] == -rates[7]
