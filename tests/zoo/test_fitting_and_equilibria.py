"""Problems of the MINPACK-2 collection against solutions and minima that are known or follow independently."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from elimax import zoo
from elimax.zoo import heart_dipole, propane


def test_heart_dipole_vanishes_at_the_root_of_the_moment_equations():
    # The moments sum_k p_k q_k^n obey a recurrence whose characteristic polynomial has the roots q_k (Prony).
    a, b, c, d, e, f = heart_dipole.MOMENTS
    moments = np.array([heart_dipole.SUM_X + 1j * heart_dipole.SUM_Y, a + 1j * b, c + 1j * d, e + 1j * f])
    hankel = np.array([[moments[0], moments[1]], [moments[1], moments[2]]])
    constant, linear = np.linalg.solve(hankel, -moments[2:])
    places = np.roots([1.0, linear, constant])
    strengths = np.linalg.solve(np.vander(places, 2, increasing=True).T, moments[:2])
    x = np.concatenate([strengths.real, strengths.imag, places.real, places.imag])
    residual = np.array(jax.jit(zoo.get("human_heart_dipole").fun)(*x))
    np.testing.assert_allclose(residual, 0.0, atol=1e-13)


def test_propane_vanishes_at_the_published_root():
    # Root of the reduced formulation (Meintjes and Morgan 1990), given there to about ten digits.
    y1, y2, y3, y4, y5 = 0.003114102, 34.59792453, 0.06504178, 0.8593780508, 0.03695185915
    root = np.sqrt(propane.PRESSURE)
    x = np.array(
        [
            y1 * y2,
            y2 * y3**2,
            y4**2,
            y1,
            propane.K5 * y3**2,
            propane.K6 / root * y3,
            propane.K7 / root * y2 * y3,
            propane.K8 / propane.PRESSURE * y2,
            propane.K9 / root * y2 * y4,
            propane.K10 / propane.PRESSURE * y2**2,
            1.0,
        ]
    )
    residual = jax.jit(zoo.get("propane_combustion").fun)(*(x / y5))
    np.testing.assert_allclose(residual, 0.0, atol=2e-5)


def energy_of_elements(v, reactivity):
    """Energy of piecewise linear elements, triangle by triangle, the exponential by the three corner values."""
    rows, columns = v.shape
    height, width = 1 / (rows + 1), 1 / (columns + 1)
    framed = jnp.pad(v, 1)
    total = 0.0
    for corner, right, above in [(framed[:-1, :-1], framed[:-1, 1:], framed[1:, :-1]),
                                 (framed[1:, 1:], framed[1:, :-1], framed[:-1, 1:])]:  # fmt: skip
        gradient = ((right - corner) / width) ** 2 + ((above - corner) / height) ** 2
        heat = (jnp.exp(corner) + jnp.exp(right) + jnp.exp(above)) / 3
        total = total + 0.5 * height * width * jnp.sum(0.5 * gradient - reactivity * heat)
    return total


def test_combustion_is_the_gradient_of_the_energy_of_finite_elements():
    problem = zoo.get("steady_state_combustion", rows=4, columns=6, reactivity=3.0)
    expected = jax.jit(jax.grad(energy_of_elements))(jnp.asarray(problem.args[0]), 3.0)
    np.testing.assert_allclose(jax.jit(problem.fun)(*problem.args), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("reactivity", "solvable"), [(6.5, True), (7.2, False)])
def test_combustion_has_a_steady_state_only_below_the_critical_reactivity(reactivity, solvable):
    # The continuous problem ignites at 6.808124423; a grid of 15 x 15 moves that by less than one per cent.
    problem = zoo.get("steady_state_combustion", rows=15, columns=15, reactivity=reactivity)
    fun, jacobian = jax.jit(problem.fun), jax.jit(jax.jacfwd(problem.fun))
    temperature = np.zeros((15, 15))
    for _ in range(25):
        residual = np.array(fun(temperature)).ravel()
        temperature = temperature - np.linalg.solve(
            np.array(jacobian(temperature)).reshape(225, 225), residual
        ).reshape(15, 15)
    converged = np.max(np.abs(fun(temperature))) < 1e-12
    assert converged == solvable


def test_gaussian_fit_reaches_the_published_minimum():
    problem = zoo.get("gaussian_data_fitting")
    fit = scipy.optimize.least_squares(
        jax.jit(problem.fun), problem.args[0], jac=jax.jit(jax.jacfwd(problem.fun)), xtol=1e-15, gtol=1e-15, ftol=1e-15
    )
    # Moré, Garbow and Hillstrom, ACM Trans. Math. Softw. 7 (1981), problem 19: 4.01377e-2.
    np.testing.assert_allclose(2 * fit.cost, 4.01377e-2, rtol=2e-6)
