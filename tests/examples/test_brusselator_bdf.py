"""The steps of the Brusselator go where SciPy's integrator goes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

import elimax
from examples import brusselator_bdf as example


@pytest.fixture(scope="module")
def reference():
    """The state at time 0.2 on 8 points."""
    with jax.enable_x64(True):
        rates, start = jax.jit(example.rates), np.asarray(example.start(8))
        answer = scipy.integrate.solve_ivp(lambda _, y: np.asarray(rates(y)), (0, 0.2), start, rtol=1e-10, atol=1e-10)
    return answer.y[:, -1]


def test_the_error_falls_with_the_square_of_the_step(reference):
    errors = [np.max(np.abs(example.main(8, steps, 0.2).state - reference)) for steps in (40, 80)]
    assert errors[1] < 1e-3
    np.testing.assert_allclose(errors[0] / errors[1], 4.0, rtol=0.2)


def test_newton_converges_as_with_the_true_jacobian():
    assert example.main(8, 10, 0.2).iterations <= 5 * 10


def test_the_banded_solve_is_the_dense_one():
    state = example.start(6)
    args = state, state, state, jnp.asarray(0.1)
    block = elimax.jacobian(example.equation, output="bcoo")(*args)
    dense = np.asarray(jax.jit(jax.jacfwd(example.equation))(*args))
    np.testing.assert_allclose(np.asarray(block.todense()), dense, atol=1e-12)
    right = np.cos(np.arange(12.0))
    solve = example.banded_solver(np.asarray(block.indices))
    np.testing.assert_allclose(solve(np.asarray(block.data), right), np.linalg.solve(dense, right), rtol=1e-10)
    assert block.nse == 4 * 12 - 4  # three of its own species, one of the other; the ends have a neighbour less
