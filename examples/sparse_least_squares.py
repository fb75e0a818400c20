"""Sparse nonlinear least squares: the poses of a robot from measurements relative to each other, with SciPy.

A robot drives in circles. Odometry says how each pose (x, y, heading) looks from the one before, and at every fifth
pose it recognises where it was a lap ago. The poses that agree best with all that minimise the sum of squares of

    R(heading_i)^T (place_j - place_i) - offset_ij    and    sin, cos of heading_j - heading_i - turn_ij

over all measured pairs (G. Grisetti, R. Kummerle, C. Stachniss, W. Burgard, A Tutorial on Graph-Based SLAM, IEEE
Intelligent Transportation Systems Magazine 2(4), 2010). The method of Levenberg and Marquardt solves
(J^T J + d diag(J^T J)) s = -J^T r in every step. A measurement sees two poses of n: ``output="bcoo"`` computes their
entries of J alone, found through the gathers by index, and ``scipy.sparse.linalg.splu`` factorises J^T J.

    python examples/sparse_least_squares.py
    python examples/sparse_least_squares.py --n 5000
"""

from __future__ import annotations

import argparse
import dataclasses
import timeit
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
import scipy.sparse.linalg

import elimax

LAP = 40
"""Poses of a lap."""
DENSE_POSES = 400
"""Up to so many poses, the dense Jacobian of jacfwd is timed too."""


@dataclasses.dataclass(frozen=True)
class Measurements:
    """What is measured: pose ``second`` seen from pose ``first``, as offset and turn [m, 3]."""

    first: np.ndarray
    second: np.ndarray
    seen: np.ndarray


@dataclasses.dataclass(frozen=True)
class Solution:
    """The poses [n, 3], half the sum of squares of every iteration, and the gradient of the last one."""

    poses: np.ndarray
    costs: list[float]
    gradient: float


def simulate(n: int, noise: float, seed: int = 0) -> tuple[np.ndarray, Measurements]:
    """True poses [n, 3] on slowly drifting circles, and noisy measurements."""
    rng = np.random.default_rng(seed)
    heading = 2.0 * np.pi * np.arange(n) / LAP
    poses = np.stack([np.sin(heading) + 1e-3 * np.arange(n), -np.cos(heading), heading], axis=1)
    first = np.concatenate([np.arange(n - 1), np.arange(0, n - LAP, 5)])
    second = np.concatenate([np.arange(1, n), np.arange(LAP, n, 5)])
    seen = np.asarray(relative(poses[first], poses[second]))
    return poses, Measurements(first, second, seen + noise * rng.standard_normal(seen.shape))


def relative(first: jax.Array | np.ndarray, second: jax.Array | np.ndarray) -> jax.Array:
    """How the second poses look from the first, [m, 3]."""
    delta = jnp.asarray(second - first)
    cos, sin = jnp.cos(first[:, 2]), jnp.sin(first[:, 2])
    along, across = cos * delta[:, 0] + sin * delta[:, 1], cos * delta[:, 1] - sin * delta[:, 0]
    return jnp.stack([along, across, delta[:, 2]], axis=1)


def residual(poses: jax.Array, measured: Measurements) -> jax.Array:
    """Residuals [4 m + 3]: offsets, sine and cosine of wrong turns, and how far the first pose moves."""
    wrong = relative(poses[measured.first], poses[measured.second]) - measured.seen
    turns = jnp.stack([jnp.sin(wrong[:, 2]), jnp.cos(wrong[:, 2]) - 1.0], axis=1)
    return jnp.concatenate([wrong[:, :2].reshape(-1), turns.reshape(-1), poses[0] - jnp.array([0.0, -1.0, 0.0])])


def dead_reckoning(n: int, measured: Measurements) -> np.ndarray:
    """Poses [n, 3] from odometry alone, where errors add up."""
    poses = np.zeros((n, 3))
    poses[0, 1] = -1.0
    for k in range(n - 1):
        (along, across, turn), heading = measured.seen[k], poses[k, 2]
        cos, sin = np.cos(heading), np.sin(heading)
        poses[k + 1] = poses[k] + [cos * along - sin * across, sin * along + cos * across, turn]
    return poses


def to_csr(block: jax.experimental.sparse.BCOO) -> scipy.sparse.csr_matrix:
    """A block [m, n, 3] as a matrix [m, 3 n]; its entries are sorted, so this only counts them."""
    rows, poses, parts = np.asarray(block.indices).T
    width = block.shape[1] * block.shape[2]
    starts = np.searchsorted(rows, np.arange(block.shape[0] + 1))
    return scipy.sparse.csr_matrix((np.asarray(block.data), poses * 3 + parts, starts), (block.shape[0], width))


def main(n: int = 2000, noise: float = 1e-2, iterations: int = 30) -> Solution:
    """Simulates n poses, finds them again, and prints what happens."""
    with jax.enable_x64(True):
        truth, measured = simulate(n, noise)
        fun = jax.jit(lambda poses: residual(poses, measured))
        both = jax.jit(elimax.value_and_jacobian(lambda poses: residual(poses, measured), output="bcoo"))
        poses = dead_reckoning(n, measured)
        print(f"{n} poses, {len(measured.first)} measurements; mean error {mean_error(poses, truth):.4f} by odometry")
        damping, gradient, costs = 1e-4, np.inf, []
        for number in range(iterations):
            value, block = both(poses)
            value, matrix = np.asarray(value), to_csr(block)
            costs.append(0.5 * float(value @ value))
            gradient = float(np.max(np.abs(matrix.T @ value)))
            step = damped_step(matrix, value, damping).reshape(n, 3)
            change = float(np.max(np.abs(step)))
            print(f"{number:3d}: cost {costs[-1]:.6e}, gradient {gradient:.1e}, step {change:.1e}, d {damping:.0e}")
            if change < 1e-7:
                break
            better = float(jnp.sum(fun(poses + step) ** 2)) < 2.0 * costs[-1]
            poses, damping = (poses + step, 0.1 * damping) if better else (poses, 10.0 * damping)
        print(f"mean error {mean_error(poses, truth):.4f}; {block.nse} of {value.size * 3 * n} entries of the Jacobian")
        print(f"Jacobian: {1e3 * median_seconds(lambda: to_csr(both(poses)[1])):.2f} ms")
        print(f"solve:    {1e3 * median_seconds(lambda: damped_step(matrix, value, damping)):.2f} ms")
        if n <= DENSE_POSES:
            dense = jax.jit(jax.jacfwd(lambda poses: residual(poses, measured)))
            print(f"jacfwd:   {1e3 * median_seconds(lambda: np.asarray(dense(poses))):.2f} ms")
    return Solution(poses, costs, gradient)


def damped_step(matrix: scipy.sparse.csr_matrix, value: np.ndarray, damping: float) -> np.ndarray:
    """The step of Levenberg and Marquardt, [3 n]."""
    normal = (matrix.T @ matrix).tocsc()
    normal += damping * scipy.sparse.diags_array(normal.diagonal()).tocsc()
    return -scipy.sparse.linalg.splu(normal).solve(matrix.T @ value)


def mean_error(poses: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of the places."""
    return float(np.mean(np.hypot(*(poses - truth)[:, :2].T)))


def median_seconds(run: Callable[[], object]) -> float:
    """Median time of a few runs, which leaves out a first one that compiles."""
    return float(np.median(timeit.repeat(run, number=1, repeat=5)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=2000, help="poses")
    main(**vars(parser.parse_args()))
