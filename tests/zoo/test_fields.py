"""The Brusselator and Burgers residuals against conservation, steady states and order of accuracy."""

from __future__ import annotations

import jax
import numpy as np

from elimax import zoo


def test_the_equilibrium_of_the_brusselator_is_steady():
    problem = zoo.get("brusselator_1d", points=9)
    equilibrium = np.stack([np.full(9, 1.0), np.full(9, 3.0)])
    np.testing.assert_allclose(jax.jit(problem.fun)(equilibrium), 0.0, atol=1e-14)


def test_brusselator_is_second_order_in_space():
    errors = []
    for points in (49, 99):
        x = np.arange(1, points + 1) / (points + 1)
        wave, curvature = np.sin(np.pi * x), -(np.pi**2) * np.sin(np.pi * x)
        u, v = 1 + wave, 3 - wave
        exact = np.stack([1 + u * u * v - 4 * u + 0.02 * curvature, 3 * u - u * u * v - 0.02 * curvature])
        problem = zoo.get("brusselator_1d", points=points)
        errors.append(np.max(np.abs(problem.fun(np.stack([u, v])) - exact)))
    np.testing.assert_allclose(errors[0] / errors[1], 4.0, rtol=0.02)


def test_brusselator_jacobian_has_three_diagonals_and_two_couplings():
    problem = zoo.get("brusselator_1d", points=8)
    blocks = np.array(jax.jit(jax.jacfwd(problem.fun))(*problem.args))
    near = np.abs(np.subtract.outer(np.arange(8), np.arange(8))) <= 1
    for species in range(2):
        assert not np.any(blocks[species, :, species][~near])
        np.testing.assert_array_equal(blocks[species, :, 1 - species] != 0, np.eye(8, dtype=bool))


def test_burgers_conserves_momentum():
    problem = zoo.get("burgers_1d", points=12, step=0.02)
    new, old = problem.args[0], problem.args[1] ** 2
    residual = jax.jit(problem.fun)(new, old)
    np.testing.assert_allclose(np.sum(residual), np.sum(new - old) / 0.02, rtol=1e-12)


def test_burgers_is_second_order_in_space():
    errors = []
    for points in (64, 128):
        x = (np.arange(points) + 0.5) / points
        u = 1 + 0.5 * np.sin(2 * np.pi * x)
        slope, curvature = np.pi * np.cos(2 * np.pi * x), -2 * np.pi**2 * np.sin(2 * np.pi * x)
        problem = zoo.get("burgers_1d", points=points)
        errors.append(np.max(np.abs(problem.fun(u, u) - (u * slope - 0.02 * curvature))))
    np.testing.assert_allclose(errors[0] / errors[1], 4.0, rtol=0.02)
