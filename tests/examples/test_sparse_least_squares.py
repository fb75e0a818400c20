"""Poses are found again from what was measured."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import elimax
from examples import sparse_least_squares as example


def test_exact_measurements_give_the_true_poses():
    truth, _ = example.simulate(90, 0.0)
    solution = example.main(90, noise=0.0)
    np.testing.assert_allclose(solution.poses, truth, atol=1e-9)
    assert solution.costs[-1] < 1e-18


def test_noisy_measurements_agree_best_at_the_solution():
    solution = example.main(90, noise=0.02)
    _, measured = example.simulate(90, 0.02)
    gradient = jax.jit(jax.grad(lambda poses: 0.5 * jnp.sum(example.residual(poses, measured) ** 2)))(
        jnp.asarray(solution.poses)
    )
    assert solution.gradient < 1e-8
    np.testing.assert_allclose(gradient, 0.0, atol=1e-8)
    assert solution.costs[-1] < 0.5 * solution.costs[0]


def test_the_sparse_matrix_is_the_jacobian():
    poses, measured = example.simulate(50, 0.02)
    block = elimax.jacobian(lambda poses: example.residual(poses, measured), output="bcoo")(poses)
    dense = jax.jit(jax.jacfwd(lambda poses: example.residual(poses, measured)))(poses)
    matrix = example.to_csr(block)
    np.testing.assert_allclose(matrix.toarray(), np.asarray(dense).reshape(matrix.shape), rtol=1e-12, atol=1e-12)
    assert matrix.has_canonical_format
    assert matrix.nnz == 14 * len(measured.first) + 3
