"""Temperatures of Bratu's problem."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

import elimax
from examples import reaction_diffusion_newton as example


def test_solution_is_that_of_a_dense_solver():
    solution = example.main(6, strength=5.0)
    fun = jax.jit(lambda u: example.residual(u.reshape(6, 6), 5.0).reshape(-1))
    answer = scipy.optimize.root(fun, np.zeros(36), jac=jax.jit(jax.jacfwd(fun)), tol=1e-12)
    np.testing.assert_allclose(solution.temperature.reshape(-1), answer.x, rtol=1e-9)


def test_newton_converges_quadratically():
    residuals = np.array(example.main(12, strength=6.0).residuals)
    assert residuals[-1] < 1e-12
    assert len(residuals) <= 8
    fast = residuals[:-1] < 1e-4
    assert np.all(residuals[1:][fast] < np.maximum(100.0 * residuals[:-1][fast] ** 2 * 12**2, 1e-14))


def test_the_error_falls_with_the_square_of_the_distance():
    centre = [example.main(n, strength=3.0).temperature[n // 2, n // 2] for n in (7, 15, 31)]
    np.testing.assert_allclose((centre[1] - centre[0]) / (centre[2] - centre[1]), 4.0, rtol=0.03)


def test_the_sparse_matrix_is_the_jacobian():
    u = jnp.sin(jnp.arange(16.0)).reshape(4, 4)
    block = elimax.jacobian(example.residual, output="bcoo")(u, 3.0)
    dense = np.asarray(jax.jit(jax.jacfwd(example.residual))(u, 3.0)).reshape(16, 16)
    np.testing.assert_allclose(example.to_csr(block).toarray(), dense, rtol=1e-13)
    assert block.nse == 5 * 16 - 4 * 4
